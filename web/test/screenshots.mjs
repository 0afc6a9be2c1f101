/* Pictures of every page: node test/screenshots.mjs WALMILL DIR. Called by scripts/screenshots.sh. */
import { spawn } from "node:child_process";
import path from "node:path";
import { Browser, Instance, until, wait } from "./harness.mjs";
import { ready } from "./dashboard.mjs";
import { settled } from "./pages.mjs";

const [walmill, dir] = process.argv.slice(2);

/* a consumer group that reads slowly, where kcat is installed, so that the page of groups has something to say */
function reader(instance) {
	const args = ["-b", `127.0.0.1:${instance.kafka}`, "-G", "reports", "-q", "-u", "sip.interventions"];
	const p = spawn("kcat", args, { stdio: ["ignore", "ignore", "ignore"] });
	p.on("error", () => undefined);
	return p;
}

const CONSOLE = [
	["console-home", "/"],
	["topics", "/topics"],
	["topic-messages", "/topics/sip.interventions", (page) => page.locator(".message summary").nth(2).click()],
	["groups", "/groups"],
	["group", "/groups/reports"],
	["connector", "/connectors/sip-interventions-source"],
	["job", "/jobs/interventions"],
];
const only = process.env.SHOTS ? new RegExp(process.env.SHOTS) : /./;

let instance, browser, kcat;
try {
	instance = await Instance.start(walmill, 20);
	kcat = reader(instance);
	browser = await Browser.start();
	/* the life of a few hundred transactions */
	await until(
		async () => Number(await instance.sql.run("SELECT max(id) FROM public.interventions")) > 3300,
		"the simulator has worked",
		90000,
	);
	for (const theme of ["light", "dark"]) {
		const context = await browser.context({ theme, width: 1440, height: 1000, locale: theme === "dark" ? "fr-FR" : "en-GB" });
		const page = await context.newPage();
		const shot = async (name, full) => {
			await page.screenshot({ path: path.join(dir, `${name}-${theme}.png`), fullPage: full });
			console.log(`${name}-${theme}.png`);
		};
		if (only.test("dashboard")) {
			await page.goto(instance.dashboardUrl);
			await ready(page);
			await settled(page);
			await wait(1500);
			await shot("dashboard", true);
		}
		if (only.test("api-docs")) {
			await page.goto(`${instance.dashboardUrl}/api/docs#op-listInterventions`);
			await settled(page);
			await page.locator("details[open]").getByRole("button", { name: "Send" }).click();
			await page.locator("details[open] .status.good").waitFor();
			await page.evaluate(() => scrollTo(0, 0));
			await shot("api-docs", false);
		}
		await page.setViewportSize({ width: 1280, height: 860 });
		for (const [name, at, then] of CONSOLE.filter(([name]) => only.test(name))) {
			await page.goto(instance.consoleUrl + at);
			await settled(page);
			await then?.(page);
			/* lines of the last seconds need some seconds */
			await wait(/home|connector|job$/.test(name) ? 12000 : 700);
			await shot(name, name !== "topic-messages");
		}
		await context.close();
	}
} finally {
	kcat?.kill();
	await browser?.end();
	await instance?.end();
}
