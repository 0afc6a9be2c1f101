/*
 * What the browser tests stand on: a private PostgreSQL, `walmill demo` over it on free ports, headless Chromium, and a list of checks that
 * prints one line each. Nothing waits for a time; everything waits for a condition, with a deadline.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, chmodSync, openSync, rmSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const DEADLINE = 20000;

export const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((p) => existsSync(p));

export const wait = (ms) => new Promise((ok) => setTimeout(ok, ms));

/* The first true value of what(), asked for every few milliseconds. */
export async function until(what, why, ms = DEADLINE) {
	const end = Date.now() + ms;
	for (;;) {
		const v = await what();
		if (v) return v;
		if (Date.now() > end) throw new Error(`not within ${ms} ms: ${why}`);
		await wait(15);
	}
}

async function freePorts(n) {
	const servers = await Promise.all(
		Array.from(
			{ length: n },
			() =>
				new Promise((ok) => {
					const s = net.createServer().listen(0, "127.0.0.1", () => ok(s));
				}),
		),
	);
	const ports = servers.map((s) => s.address().port);
	await Promise.all(servers.map((s) => new Promise((ok) => s.close(ok))));
	return ports;
}

/* psql kept open, so that the time of a statement is not the time of a process. */
class Sql {
	constructor(dsn) {
		this.p = spawn("psql", ["-qAtX", "-v", "ON_ERROR_STOP=1", dsn], { stdio: ["pipe", "pipe", "inherit"] });
		this.out = "";
		this.p.stdout.on("data", (d) => (this.out += d));
		this.n = 0;
	}
	async run(sql) {
		const mark = `done-${++this.n}`;
		this.out = "";
		this.p.stdin.write(`${sql};\n\\echo ${mark}\n`);
		await until(() => this.out.includes(mark) || this.p.exitCode !== null, sql);
		if (this.p.exitCode !== null) throw new Error(`psql ended at: ${sql}`);
		return this.out.slice(0, this.out.indexOf(mark)).trim();
	}
	end() {
		this.p.stdin.end();
	}
}

export class Instance {
	static async start(walmill, rate) {
		const i = new Instance();
		i.walmill = path.resolve(walmill);
		i.dir = mkdtempSync(path.join(os.tmpdir(), "walmill-web-"));
		chmodSync(i.dir, 0o711);
		const pg = spawnSync(path.join(root, "scripts/postgres.sh"), ["start", path.join(i.dir, "pg")], { encoding: "utf8" });
		if (pg.status) throw new Error(`no PostgreSQL: ${pg.stderr}`);
		i.dsn = pg.stdout.trim().split("\n").pop();
		[i.kafka, i.connect, i.jobs, i.api, i.console] = await freePorts(5);
		i.rate = rate;
		i.sql = new Sql(i.dsn);
		try {
			await i.up();
		} catch (e) {
			await i.end();
			throw e;
		}
		return i;
	}
	/* A consumer group with committed offsets. */
	group(name, topic) {
		const p = spawnSync("kcat", [
			"-q",
			"-b",
			`127.0.0.1:${this.kafka}`,
			"-c",
			"3",
			"-G",
			name,
			"-X",
			"auto.offset.reset=earliest",
			topic,
		]);
		if (p.status) throw new Error(`kcat: ${p.error ?? p.stderr}`);
	}
	/* A job and a connector that cannot work, and what takes them away again. */
	async brokenThings() {
		const jobs = `http://127.0.0.1:${this.jobs}`,
			connectors = `http://127.0.0.1:${this.connect}/connectors`;
		const config = {
			"connector.class": "io.debezium.connector.postgresql.PostgresConnector",
			"topic.prefix": "broken",
			"slot.name": "broken",
			"publication.name": "nowhere",
			"publication.autocreate.mode": "disabled",
		};
		const send = async (url, method, body, type = "application/json") => {
			const r = await fetch(url, { method, body, headers: { "Content-Type": type } });
			if (!r.ok) throw new Error(`${method} ${url}: ${r.status} ${await r.text()}`);
			return r;
		};
		await send(`${jobs}/jobs?name=broken`, "POST", "INSERT INTO analytics.nowhere SELECT id FROM interventions", "application/sql");
		await send(connectors, "POST", JSON.stringify({ name: "broken", config }));
		const state = (url, pick) => async () => pick(await (await fetch(url)).json()) === "FAILED";
		await until(
			state(`${jobs}/jobs/broken`, (j) => j.walmill.state),
			"the job fails",
		);
		await until(
			state(`${connectors}/broken/status`, (c) => c.tasks[0]?.state),
			"the connector fails",
		);
		return async () => {
			await send(`${jobs}/jobs/broken?mode=cancel`, "PATCH");
			const r = await fetch(`${connectors}/broken`, { method: "DELETE" });
			if (!r.ok && r.status !== 404) throw new Error(`the broken connector stays: ${r.status}`);
		};
	}
	get dashboardUrl() {
		return `http://127.0.0.1:${this.api}`;
	}
	get consoleUrl() {
		return `http://127.0.0.1:${this.console}`;
	}
	async up() {
		const set = { "kafka.listen": this.kafka, "connect.listen": this.connect, "jobs.listen": this.jobs, "api.listen": this.api };
		set["console.listen"] = this.console;
		const args = Object.entries(set).flatMap(([k, v]) => ["--set", `${k}=127.0.0.1:${v}`]);
		const log = openSync(path.join(this.dir, "walmill.log"), "a");
		this.p = spawn(
			this.walmill,
			["demo", "--data", path.join(this.dir, "data"), ...(this.rate ? ["--rate", String(this.rate)] : ["--no-simulator"]), ...args],
			{
				cwd: root,
				env: { ...process.env, WALMILL_SOURCE: this.dsn },
				stdio: ["ignore", log, log],
			},
		);
		let broken = null;
		this.p.on("error", (e) => (broken = e));
		await until(
			async () => {
				if (broken) throw broken;
				if (this.p.exitCode !== null) throw new Error(`walmill ended: see ${this.dir}/walmill.log`);
				return fetch(`${this.dashboardUrl}/readyz`).then(
					(r) => r.ok,
					() => false,
				);
			},
			"walmill is ready",
			90000,
		);
	}
	async down() {
		this.p.kill("SIGTERM");
		await until(() => this.p.exitCode !== null || this.p.signalCode !== null, "walmill has ended", 30000);
	}
	async end() {
		this.sql.end();
		if (this.p.pid && this.p.exitCode === null) await this.down().catch(() => this.p.kill("SIGKILL"));
		spawnSync(path.join(root, "scripts/postgres.sh"), ["destroy", path.join(this.dir, "pg")]);
		rmSync(this.dir, { recursive: true, force: true });
	}
}

/*
 * A browser, and pages of one origin with what a viewer would choose. Other hosts have no address, and requests to them are counted. Not by
 * interception: each request would wait for this process, which costs a page more than its scripts do.
 */
const ALONE = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1";
export class Browser {
	static async start() {
		const b = new Browser();
		b.browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-dev-shm-usage", ALONE] });
		b.external = [];
		b.errors = [];
		return b;
	}
	async context({ theme = "light", locale = "en-GB", width = 1280, height = 800 } = {}) {
		const c = await this.browser.newContext({
			viewport: { width, height },
			colorScheme: theme,
			locale,
			timezoneId: "America/New_York",
			reducedMotion: "reduce",
		});
		c.on("request", (r) => {
			const url = new URL(r.url());
			if (url.hostname !== "127.0.0.1" && url.protocol.startsWith("http")) this.external.push(r.url());
		});
		c.on("page", (p) => {
			p.on("pageerror", (e) => this.errors.push(`${p.url()}: ${e.message}`));
			p.on("console", (m) => /Content Security Policy/.test(m.text()) && this.errors.push(`${p.url()}: ${m.text()}`));
			p.setDefaultTimeout(DEADLINE);
		});
		return c;
	}
	end() {
		return this.browser.close();
	}
}

/* ---- checks ---- */

export const tally = { passed: 0, failed: 0 };
const only = process.env.WEB_TEST ? new RegExp(process.env.WEB_TEST) : null;

export async function check(name, body) {
	if (only && !only.test(name)) return;
	const start = Date.now();
	try {
		const note = await body();
		tally.passed++;
		console.log(`ok      ${name}${note ? ` (${note})` : ""}  ${Date.now() - start} ms`);
	} catch (e) {
		tally.failed++;
		console.log(`FAILED  ${name}\n${String(e.stack ?? e).replace(/^/gm, "        ")}`);
	}
}

export function assert(ok, why) {
	if (!ok) throw new Error(why);
}
export const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
