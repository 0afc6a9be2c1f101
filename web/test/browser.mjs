/*
 * The browser suite of a face: node test/browser.mjs WALMILL console|dashboard. Exit status 77 with a reason when there is no Chromium. WEB_TEST=pattern runs some.
 */
import { consoleTests } from "./console.mjs";
import { dashboardTests } from "./dashboard.mjs";
import { Browser, browserPath, check, assert, Instance, tally } from "./harness.mjs";
import { pageTests } from "./pages.mjs";

if (!browserPath) {
	console.log("SKIP: no Chromium (Debian package chromium)");
	process.exit(77);
}
const [walmill, face] = process.argv.slice(2);
let instance, browser;
try {
	/* no simulator's rows between ours: what the tests count is what they did */
	instance = await Instance.start(walmill, 0);
	browser = await Browser.start();
	await pageTests(browser, instance, face);
	await (face === "console" ? consoleTests : dashboardTests)(browser, instance);
	await check("no page threw an error, and none asked another host", () => {
		assert(!browser.errors.length, browser.errors.join("\n"));
		assert(!browser.external.length, browser.external.join("\n"));
	});
} catch (e) {
	tally.failed++;
	console.log(`FAILED  the suite itself\n${e.stack ?? e}`);
} finally {
	await browser?.end();
	await instance?.end();
}
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exit(tally.failed ? 1 : 0);
