# The front door: every target sets up what it needs (packages included, on Debian 12) and drives Meson and Ninja underneath.
#
#	make            build walmill into build/
#	make run        the demonstration: private PostgreSQL, demo data, connector, job, dashboard
#	make test       every test under AddressSanitizer and UndefinedBehaviorSanitizer, the threaded ones under ThreadSanitizer too
#	make check      style, module order, generated documents, static analysis
#	make bench      benchmarks, optimized build
#	make fuzz       every fuzzer for FUZZ_SECONDS (default 60)
#	make install    to PREFIX (default /usr/local), with DESTDIR
#	make clean      removes what was built; .walmill/ (data of the demonstration) stays
#
# JOBS limits parallel work, T names tests (make test T='bytes settings').
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
DESTDIR ?=
T ?=
ARGS ?=
WALMILL = build/src/cli/walmill

export JOBS FUZZ_SECONDS

all: build/build.ninja web
	ninja -C build -j$(JOBS)

build/build.ninja: | setup-build
	meson setup build -Dprefix=$(PREFIX)

# the pages that are compiled into the binary; quick when nothing changed
web: | setup-build
	@scripts/web.sh

setup-%:
	@scripts/setup.sh $*

run: setup-run all
	scripts/run.sh $(WALMILL) $(ARGS)

test: setup-test web
	scripts/test.sh $(T)

check: setup-check
	scripts/check.sh

bench: setup-bench
	scripts/bench.sh

fuzz: setup-fuzz
	scripts/fuzz.sh

install: setup-build web
	meson setup build $(if $(wildcard build/build.ninja),--reconfigure) -Dprefix=$(PREFIX)
	ninja -C build -j$(JOBS)
	DESTDIR=$(DESTDIR) meson install -C build --no-rebuild

clean:
	rm -rf build build-asan build-tsan build-tidy build-fuzz build-release

.PHONY: all web run test check bench fuzz install clean
.NOTPARALLEL:
.SUFFIXES:
