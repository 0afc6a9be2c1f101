/* Throwaway PostgreSQL clusters; see pgtemp.h. One thread. */
#include "pgtemp.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

struct pgtemp {
	char dir[64];           /* short: a socket path has room for 107 bytes */
	char bin[256];
	char dsn[256];
	int port;
	int lock_fd;            /* flock on <dir>/owner says that the directory is in use */
	pid_t postmaster;
	uid_t uid;
	gid_t gid;
	bool tcp;
};

static const char DIR_PREFIX[] = "/tmp/wmpg-";

static int find_binaries(struct pgtemp *p, struct err *err)
{
	const char *env = getenv("PG_BIN");
	int best = 0;
	glob_t g;

	if (env) {
		snprintf(p->bin, sizeof(p->bin), "%s", env);
		return 0;
	}
	if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++) {
			int version = atoi(g.gl_pathv[i] + strlen("/usr/lib/postgresql/"));

			if (version > best) {
				best = version;
				snprintf(p->bin, sizeof(p->bin), "/usr/lib/postgresql/%d/bin", version);
			}
		}
		globfree(&g);
	}
	if (best)
		return 0;
	return err_set(err, ERR_NOT_FOUND, "no PostgreSQL server below /usr/lib/postgresql");
}

static void remove_tree(const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", "--", path, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* Directories whose owner no longer holds its lock: the test was killed. */
static void sweep(void)
{
	glob_t g;

	if (glob("/tmp/wmpg-*", GLOB_ONLYDIR, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char owner[300];
		int fd;

		snprintf(owner, sizeof(owner), "%s/owner", g.gl_pathv[i]);
		fd = open(owner, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			remove_tree(g.gl_pathv[i]);
		close(fd);
	}
	globfree(&g);
}

/* In the child: the server's user, output into a file, dies with the test. */
static void become(const struct pgtemp *p, const char *log)
{
	int fd;

	if (p->uid != getuid() && (setgroups(0, NULL) != 0 || setgid(p->gid) != 0 || setuid(p->uid) != 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGQUIT);
	if (chdir("/") != 0)
		_exit(126);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0)
		_exit(126);
	dup2(fd, 1);
	dup2(fd, 2);
	unsetenv("PGDATA");
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("TZ", "UTC", 1);
}

static int run_initdb(const struct pgtemp *p, const char *locale, struct err *err)
{
	char exe[300], data[128], log[128], loc[64];
	int status;
	pid_t pid;

	snprintf(exe, sizeof(exe), "%s/initdb", p->bin);
	snprintf(data, sizeof(data), "%s/data", p->dir);
	snprintf(log, sizeof(log), "%s/initdb.log", p->dir);
	snprintf(loc, sizeof(loc), "--locale=%s", locale ? locale : "C.UTF-8");
	pid = fork();
	if (pid == 0) {
		become(p, log);
		execl(exe, exe, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", loc, "--no-sync", (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, ERR_INTERNAL, "initdb failed, see %s", log);
	return 0;
}

static int free_port(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port = 0;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0 && getsockname(fd, (struct sockaddr *)&sin, &len) == 0)
		port = ntohs(sin.sin_port);
	if (fd >= 0)
		close(fd);
	return port;
}

static int write_conf(const struct pgtemp *p, const struct pgtemp_options *opts, struct err *err)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/data/postgresql.conf", p->dir);
	f = fopen(path, "a");
	if (!f)
		return err_set_errno(err, errno, "could not open \"%s\"", path);
	fprintf(f, "listen_addresses = '%s'\nport = %d\nunix_socket_directories = '%s'\n", p->tcp ? "127.0.0.1" : "", p->port, p->dir);
	fprintf(f, "wal_level = logical\nmax_wal_senders = 20\nmax_replication_slots = 20\nmax_prepared_transactions = 10\n");
	fprintf(f, "shared_buffers = 32MB\ntimezone = 'UTC'\nlog_timezone = 'UTC'\nfsync = %s\n", opts->fsync ? "on" : "off");
	fprintf(f, "log_line_prefix = '%%m [%%p] %%q%%a '\n%s\n", opts->conf ? opts->conf : "");
	if (fclose(f) != 0)
		return err_set_errno(err, errno, "could not write \"%s\"", path);
	return 0;
}

static int pick_user(struct pgtemp *p, struct err *err)
{
	const char *name = getenv("PGTEMP_USER");
	struct passwd *pw;

	p->uid = getuid();
	p->gid = getgid();
	if (p->uid != 0)
		return 0;
	pw = getpwnam(name ? name : "postgres");
	if (!pw || pw->pw_uid == 0)
		return err_set(err, ERR_NOT_FOUND, "no user \"%s\" to run a PostgreSQL server as", name ? name : "postgres");
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	return 0;
}

static int make_dir_locked(struct pgtemp *p, struct err *err)
{
	char owner[128];

	sweep();
	snprintf(p->dir, sizeof(p->dir), "%sXXXXXX", DIR_PREFIX);
	if (!mkdtemp(p->dir))
		return err_set_errno(err, errno, "could not make a directory below /tmp");
	snprintf(owner, sizeof(owner), "%s/owner", p->dir);
	p->lock_fd = open(owner, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (p->lock_fd < 0 || flock(p->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return err_set_errno(err, errno, "could not lock \"%s\"", owner);
	if (p->uid != getuid() && chown(p->dir, p->uid, p->gid) != 0)
		return err_set_errno(err, errno, "could not change the owner of \"%s\"", p->dir);
	return 0;
}

/* One test at a time: a directory that is not locked yet looks like one that was left behind. */
static int make_dir(struct pgtemp *p, struct err *err)
{
	int fd = open("/tmp/wmpg.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666), rc;

	if (fd < 0 || flock(fd, LOCK_EX) != 0)
		return err_set_errno(err, errno, "could not lock \"/tmp/wmpg.lock\"");
	rc = make_dir_locked(p, err);
	close(fd);
	return rc;
}

int pgtemp_start(struct pgtemp **ret, const struct pgtemp_options *opts, struct err *err)
{
	static const struct pgtemp_options defaults;
	struct pgtemp *p = mem_zalloc(sizeof(*p));

	if (!opts)
		opts = &defaults;
	p->lock_fd = -1;
	p->tcp = opts->tcp;
	if (find_binaries(p, err) != 0 || pick_user(p, err) != 0 || make_dir(p, err) != 0 || run_initdb(p, opts->locale, err) != 0)
		goto fail;
	p->port = p->tcp ? free_port() : 5432;
	snprintf(p->dsn, sizeof(p->dsn), "host=%s port=%d user=postgres dbname=postgres", p->tcp ? "127.0.0.1" : p->dir, p->port);
	if (write_conf(p, opts, err) != 0 || pgtemp_boot(p, err) != 0)
		goto fail;
	*ret = p;
	return 0;
fail:
	pgtemp_stop(p);
	return -1;
}

int pgtemp_start_standby(struct pgtemp **ret, struct pgtemp *primary, struct err *err)
{
	static const struct pgtemp_options none;
	struct pgtemp *p = mem_zalloc(sizeof(*p));
	char exe[300], data[128], log[128];
	int status;
	pid_t pid;

	wm_assert(primary->tcp);
	p->lock_fd = -1;
	p->tcp = true;
	if (find_binaries(p, err) != 0 || pick_user(p, err) != 0 || make_dir(p, err) != 0)
		goto fail;
	snprintf(exe, sizeof(exe), "%s/pg_basebackup", p->bin);
	snprintf(data, sizeof(data), "%s/data", p->dir);
	snprintf(log, sizeof(log), "%s/basebackup.log", p->dir);
	pid = fork();
	if (pid == 0) {
		become(p, log);
		execl(exe, exe, "-d", primary->dsn, "-D", data, "-R", "-X", "stream", "-c", "fast", "--no-sync", (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		err_set(err, ERR_INTERNAL, "pg_basebackup failed, see %s", log);
		goto fail;
	}
	p->port = free_port();
	snprintf(p->dsn, sizeof(p->dsn), "host=127.0.0.1 port=%d user=postgres dbname=postgres", p->port);
	/* the last line of a setting counts */
	if (write_conf(p, &none, err) != 0 || pgtemp_boot(p, err) != 0)
		goto fail;
	*ret = p;
	return 0;
fail:
	pgtemp_stop(p);
	return -1;
}

int pgtemp_save(struct pgtemp *p, struct err *err)
{
	char data[128], saved[128];
	int status;
	pid_t pid;

	wm_assert(p->postmaster == 0);
	snprintf(data, sizeof(data), "%s/data", p->dir);
	snprintf(saved, sizeof(saved), "%s/saved", p->dir);
	pid = fork();
	if (pid == 0) {
		execlp("cp", "cp", "-a", "--", data, saved, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(err, ERR_INTERNAL, "could not copy %s", data);
	return 0;
}

int pgtemp_swap(struct pgtemp *p, struct err *err)
{
	char data[128], saved[128], aside[128];

	wm_assert(p->postmaster == 0);
	snprintf(data, sizeof(data), "%s/data", p->dir);
	snprintf(saved, sizeof(saved), "%s/saved", p->dir);
	snprintf(aside, sizeof(aside), "%s/aside", p->dir);
	if (rename(data, aside) != 0 || rename(saved, data) != 0 || rename(aside, saved) != 0)
		return err_set_errno(err, errno, "could not rename \"%s\"", data);
	return 0;
}

int pgtemp_boot(struct pgtemp *p, struct err *err)
{
	char exe[300], data[128], log[128];

	wm_assert(p->postmaster == 0);
	snprintf(exe, sizeof(exe), "%s/postgres", p->bin);
	snprintf(data, sizeof(data), "%s/data", p->dir);
	snprintf(log, sizeof(log), "%s/server.log", p->dir);
	p->postmaster = fork();
	if (p->postmaster == 0) {
		become(p, log);
		execl(exe, exe, "-D", data, (char *)NULL);
		_exit(127);
	}
	if (p->postmaster < 0) {
		p->postmaster = 0;
		return err_set_errno(err, errno, "could not start a process");
	}
	for (int waited_ms = 0; waited_ms < 60000; waited_ms += 20) {
		if (PQping(p->dsn) == PQPING_OK)
			return 0;
		if (waitpid(p->postmaster, NULL, WNOHANG) != 0)
			break;
		usleep(20000);
	}
	pgtemp_crash(p);
	return err_set(err, ERR_INTERNAL, "the server did not start, see %s", log);
}

static void stop_with(struct pgtemp *p, int sig)
{
	if (p->postmaster > 0) {
		kill(p->postmaster, sig);
		while (waitpid(p->postmaster, NULL, 0) < 0 && errno == EINTR)
			;
	}
	p->postmaster = 0;
}

void pgtemp_crash(struct pgtemp *p) { stop_with(p, SIGQUIT); }
void pgtemp_shutdown(struct pgtemp *p) { stop_with(p, SIGINT); }

void pgtemp_stop(struct pgtemp *p)
{
	if (!p)
		return;
	pgtemp_crash(p);
	if (p->lock_fd >= 0) {
		if (!getenv("PGTEMP_KEEP"))
			remove_tree(p->dir);
		close(p->lock_fd);
	}
	mem_free(p);
}

const char *pgtemp_dsn(const struct pgtemp *p) { return p->dsn; }
const char *pgtemp_dir(const struct pgtemp *p) { return p->dir; }
int pgtemp_port(const struct pgtemp *p) { return p->port; }

PGconn *pgtemp_connect(struct pgtemp *p, struct err *err)
{
	PGconn *c = PQconnectdb(p->dsn);

	if (PQstatus(c) == CONNECTION_OK)
		return c;
	err_set(err, ERR_CONNECTION, "%s", PQerrorMessage(c));
	PQfinish(c);
	return NULL;
}

int pgtemp_exec(struct pgtemp *p, const char *sql, struct err *err)
{
	PGconn *c = pgtemp_connect(p, err);
	PGresult *r;
	int rc = 0;

	if (!c)
		return -1;
	r = PQexec(c, sql);
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_EMPTY_QUERY)
		rc = err_set(err, ERR_INVALID, "%s", PQerrorMessage(c));
	PQclear(r);
	PQfinish(c);
	return rc;
}
