/* The console in a browser: rooms, links, messages, verbs. */
import { assert, check, until } from "./harness.mjs";

export async function consoleTests(browser, instance) {
	const context = await browser.context();
	const page = await context.newPage();
	const goto = (p) => page.goto(instance.consoleUrl + p);

	await check("console: home says that all is well and links to what runs", async () => {
		await goto("/");
		await page.getByRole("heading", { name: "Everything works" }).waitFor();
		await page.getByRole("link", { name: "sip-interventions-source", exact: true }).first().click();
		await page.getByRole("heading", { name: "sip-interventions-source", level: 1 }).waitFor();
		await page.getByRole("link", { name: "interventions", exact: true }).first().click();
		await page.getByRole("heading", { name: "interventions", level: 1 }).waitFor();
		await page.goBack();
		await page.getByRole("heading", { name: "sip-interventions-source", level: 1 }).waitFor();
	});

	await check("console: messages from the newest, from an offset; a change as columns; filter in the URL", async () => {
		await goto("/topics/sip.interventions");
		await page.locator(".message").first().waitFor();
		await page.locator(".message summary").first().click();
		await page.locator(".message .diff tbody tr").first().waitFor();
		await page.getByRole("button", { name: "Raw" }).click();
		await page.locator(".message pre", { hasText: '"reference"' }).waitFor();
		await goto("/topics/sip.interventions?from=offset&offset=7");
		await page.locator('.message[data-offset="7"]').waitFor();
		assert((await page.locator(".message").first().getAttribute("data-offset")) === "7", "begins at the offset");
		await page.getByRole("searchbox").fill("NYC311-60877");
		await page.keyboard.press("Enter");
		await until(() => page.url().includes("find=NYC311-60877"), "the filter is in the URL");
		await page.locator(".message").first().waitFor();
	});

	await check("console: the live tail shows what is committed now, and stops on demand", async () => {
		await goto("/topics/sip.interventions?tab=live");
		await page.getByRole("button", { name: "Stop" }).waitFor();
		await until(async () => {
			await instance.sql.run(
				"UPDATE public.interventions SET title = 'tail <b>me</b>' WHERE id = (SELECT max(id) FROM public.interventions)",
			);
			return (await page.locator(".message", { hasText: "tail <b>me</b>" }).count()) > 0;
		}, "the update is in the tail");
		await page.getByRole("button", { name: "Stop" }).click();
		await page.getByRole("button", { name: "Follow" }).waitFor();
	});

	await check("console: pause and resume of a connector, asked for and confirmed", async () => {
		await goto("/connectors/sip-interventions-source");
		await page.getByRole("button", { name: "Pause", exact: true }).click();
		await page.locator("main .page-head .pill", { hasText: "Paused" }).waitFor();
		await page.getByRole("button", { name: "Resume", exact: true }).click();
		await page.locator("main .page-head .pill", { hasText: "Running" }).waitFor();
	});

	await check("console: pause and resume of a job", async () => {
		await goto("/jobs/interventions");
		await page.getByRole("button", { name: "Pause", exact: true }).click();
		await page.locator("main .page-head .pill", { hasText: "Paused" }).waitFor();
		await page.getByRole("button", { name: "Resume", exact: true }).click();
		await page.locator("main .page-head .pill", { hasText: "Running" }).waitFor();
	});

	await check("console: a job is cancelled only when its name is typed", async () => {
		await goto("/jobs/interventions");
		await page.getByRole("button", { name: "Cancel job" }).click();
		const dialog = page.getByRole("dialog", { name: "Cancel interventions?" });
		const go = dialog.getByRole("button", { name: "Cancel job" });
		assert(await go.isDisabled(), "not before the name is typed");
		await dialog.getByLabel("Name of the job").fill("interventions");
		assert(await go.isEnabled(), "after it is typed");
		await page.keyboard.press("Escape");
		await dialog.waitFor({ state: "detached" });
		const focused = await page.evaluate(() => document.activeElement?.textContent);
		assert(/Cancel job/.test(focused), `the focus goes back, not to "${focused}"`);
	});

	await check("console: what has never run has no age, and a failure is on every page; a failed job is started again", async () => {
		const mend = await instance.brokenThings();
		await goto("/jobs/broken");
		await page.getByText("No plan").waitFor();
		const fact = (name) => page.locator(".fact", { hasText: name }).locator(".fact-value").first().textContent();
		assert((await fact("Freshness")) === "–", `not ${await fact("Freshness")}`);
		await page.locator(".fresh", { hasText: "Failed" }).waitFor();
		await instance.sql.run("CREATE TABLE analytics.nowhere (id bigint PRIMARY KEY)");
		await fetch(`http://127.0.0.1:${instance.connect}/connectors/broken`, { method: "DELETE" });
		await page.getByRole("button", { name: "Restart" }).click();
		await page.locator("main .page-head .pill", { hasText: "Running" }).waitFor();
		await goto("/connectors");
		await mend();
		await page.locator(".fresh", { hasText: "behind" }).waitFor();
	});

	await check("console: keyboard: skip link, help, search, g t, Esc", async () => {
		await goto("/connectors");
		await page.getByRole("searchbox").waitFor();
		await page.keyboard.press("Tab");
		assert((await page.evaluate(() => document.activeElement?.className)) === "skip", "the first stop is the skip link");
		await page.keyboard.press("?");
		await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
		await page.keyboard.press("Escape");
		await page.getByRole("dialog").waitFor({ state: "detached" });
		await page.keyboard.press("/");
		/* the dialog gives the focus back when it has gone, which may be after the key */
		await until(async () => {
			const there = (await page.evaluate(() => document.activeElement?.getAttribute("type"))) === "search";
			if (!there) await page.keyboard.press("/");
			return there;
		}, "/ goes to the search field");
		await page.keyboard.press("Escape");
		for (const [key, at] of Object.entries({ t: "/topics", j: "/jobs", c: "/connectors", g: "/groups", h: "/" })) {
			await page.keyboard.press("g");
			await page.keyboard.press(key);
			await until(() => new URL(page.url()).pathname === at, `g ${key} goes to ${at}`);
		}
	});

	await check("console: what does not exist says so with a way back", async () => {
		await goto("/nowhere");
		await page.getByText("There is no such page.").waitFor();
		await goto("/topics/no-such-topic");
		await page.getByRole("alert").first().waitFor();
	});

	await check("console: two tabs share one stream", async () => {
		const streams = async () => {
			const text = await fetch(`${instance.dashboardUrl}/metrics`).then((r) => r.text());
			return Number(/^walmill_stream_clients(?:{[^}]*})? (\d+)/m.exec(text)[1]);
		};
		/* what a page asks for before its scripts are here counts too, until it is answered */
		const one = (when) => until(async () => (await streams()) === 1, `one connection ${when}`);
		await goto("/");
		await page.locator("[data-link=live]").waitFor();
		await one("for one tab");
		const two = await context.newPage();
		try {
			await two.goto(`${instance.consoleUrl}/jobs`);
			await two.locator("[data-link=live]").waitFor();
			await one("for two tabs");
		} finally {
			await two.close();
		}
	});
	await context.close();
}
