/* The dashboard in a browser: live figures, map, list and forms. */
import { assert, check, median, until, wait } from "./harness.mjs";
import { Yardstick } from "./yardstick.mjs";

const kpi = (page, id) => page.locator(`[data-kpi="${id}"] [data-value]`).textContent();
const number = (s) => Number(s.replace(/[^\d.-]/g, ""));
const attr = (page, name) => page.locator(".map").getAttribute(name);
const INSERT = "INSERT INTO public.interventions (reference, title, planned_at, latitude, longitude)";

/* until the figures stand and the map has its rows and its base layer */
export async function ready(page) {
	await page.locator("[data-kpi=total] [data-value]").waitFor();
	await until(async () => Number(await attr(page, "data-markers")) > 0, "markers on the map");
	await until(async () => (await attr(page, "data-base")) === "ready", "base layer");
	await page.locator("#list tbody tr").first().waitFor();
}

const viewOf = async (page) => (await attr(page, "data-view")).split("/").map(Number);

/* where a place is on the page, by the view that the map tells */
async function pointOf(page, lat, lng) {
	const [zoom, clat, clng] = await viewOf(page);
	const scale = 256 * 2 ** zoom;
	const px = (la, ln) => {
		const s = Math.sin((la * Math.PI) / 180);
		return [((ln + 180) / 360) * scale, (0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI)) * scale];
	};
	const box = await page.locator(".map").boundingBox();
	const a = px(lat, lng),
		c = px(clat, clng);
	return [box.x + box.width / 2 + a[0] - c[0], box.y + box.height / 2 + a[1] - c[1]];
}

/* drags the map; returns where it came to rest, as data-view has it */
async function pan(page, dx, dy) {
	await ready(page);
	await page.locator(".map").scrollIntoViewIfNeeded();
	const before = await attr(page, "data-view");
	const box = await page.locator(".map").boundingBox();
	await page.mouse.move(box.x + 300, box.y + 200);
	await page.mouse.down();
	await page.mouse.move(box.x + 300 + dx, box.y + 200 + dy, { steps: 4 });
	await page.mouse.up();
	/* a map that was let go glides on for a moment */
	let view = "";
	await until(async () => {
		const last = view;
		await wait(150);
		view = await attr(page, "data-view");
		return view !== before && view === last && decodeURIComponent(page.url()).includes(`map=${view}`);
	}, "the map rests, and its view is in the URL");
	return view;
}

export async function dashboardTests(browser, instance) {
	const context = await browser.context({ height: 1000 });
	const page = await context.newPage();
	const sql = (text) => instance.sql.run(text);
	await page.goto(instance.dashboardUrl);
	await check("dashboard: figures, map and list are there", () => ready(page));

	await check("dashboard: the title is there before the scripts, and is the one that they render", async () => {
		const cases = [
			["en-GB", "browser", ""],
			["fr-FR", "browser", ""],
			["fr-FR", "browser", "?date=2026-02-09"],
			/* no days: today is shown */
			["en-GB", "browser", "?date=2026-99-09"],
			["en-GB", "browser", "?date=2026-02-31"],
			/* 25 hours apart: one of them is on another day than the browser */
			["en-GB", "Pacific/Kiritimati", ""],
			["en-GB", "Pacific/Pago_Pago", ""],
		];
		for (const [locale, zone, search] of cases) {
			const c = await browser.context({ locale }),
				p = await c.newPage();
			await p.addInitScript((z) => localStorage.setItem("walmill.zone", z), zone);
			await p.route(/\.js$/, (r) => r.abort());
			await p.goto(`${instance.dashboardUrl}/${search}`);
			const early = await p.locator("h1").textContent();
			await p.unroute(/\.js$/);
			await p.reload();
			await p.locator(".date-nav").waitFor();
			const late = await p.locator("h1").textContent();
			await c.close();
			assert(late && early === late, `${locale} ${zone} ${search}: "${early}", then "${late}"`);
		}
	});

	await check("dashboard: a figure follows INSERT, UPDATE and DELETE without a reload", async () => {
		const total = number(await kpi(page, "total")),
			started = number(await kpi(page, "IN_PROGRESS"));
		await sql(`${INSERT} VALUES ('WEB-1', 'web test', now(), 40.1, -73.5)`);
		await until(async () => number(await kpi(page, "total")) === total + 1, "one more");
		await sql(
			"UPDATE public.interventions SET status = 'IN_PROGRESS', started_at = now(), updated_at = now() WHERE reference = 'WEB-1'",
		);
		await until(async () => number(await kpi(page, "IN_PROGRESS")) === started + 1, "one more in progress");
		await sql("DELETE FROM public.interventions WHERE reference = 'WEB-1'");
		await until(async () => number(await kpi(page, "total")) === total, "one less");
	});

	await check("dashboard: a marker appears, moves and vanishes; the viewer's pan stays", async () => {
		const view = await pan(page, -60, -30);
		const [, lat, lng] = view.split("/").map(Number);
		const near = `abs(latitude - ${lat}) < 0.02 AND abs(longitude - ${lng}) < 0.04`;
		await sql(`DELETE FROM public.interventions WHERE ${near}`);
		const gone = async () => (await sql(`SELECT count(*) FROM analytics.intervention_geo_view WHERE ${near}`)) === "0";
		await until(gone, "room in the middle");
		const less = await sql("SELECT count(*) FROM analytics.intervention_geo_view");
		await until(async () => (await attr(page, "data-markers")) === less, `${less} markers`);
		await sql(`${INSERT} VALUES ('WEB-2', '<img src=x onerror="document.title=1">', now(), ${lat}, ${lng})`);
		await until(async () => Number(await attr(page, "data-markers")) === Number(less) + 1, "one more marker");
		await page.mouse.click(...(await pointOf(page, lat, lng)));
		await page.locator(".leaflet-popup .popup strong", { hasText: "<img src=x" }).waitFor();
		const at = () => page.locator(".leaflet-popup").boundingBox();
		const before = await at();
		await sql(`UPDATE public.interventions SET latitude = ${lat} + 0.004, updated_at = now() WHERE reference = 'WEB-2'`);
		await until(async () => (await at())?.y < before.y - 2, "the popup follows the marker");
		await sql("DELETE FROM public.interventions WHERE reference = 'WEB-2'");
		await until(async () => (await page.locator(".leaflet-popup").count()) === 0, "the popup goes with its row");
		await until(async () => (await attr(page, "data-markers")) === less, "one less marker");
		const now = await attr(page, "data-view");
		const far = view.split("/").some((v, i) => Math.abs(Number(v) - Number(now.split("/")[i])) > 1e-4);
		assert(!far, `the view moved from ${view} to ${now}`);
	});

	await check("dashboard: markup in any column shows as text", async () => {
		const evil = '<script>window.evil=1</script><b onmouseover="window.evil=1">x</b>';
		await sql(`${INSERT} VALUES ('<i>WEB-3</i>', '${evil}', now(), 40.7, -73.9)`);
		await page.getByRole("searchbox").fill("WEB-3");
		const row = page.locator("#list tbody tr", { hasText: "<i>WEB-3</i>" });
		await row.waitFor();
		assert((await row.locator(".title-cell").textContent()) === evil, "the title is shown as it is");
		assert((await row.locator("script, b, i").count()) === 0, "no element was made of it");
		assert(!(await page.evaluate(() => window.evil)), "nothing ran");
		await sql("DELETE FROM public.interventions WHERE reference = '<i>WEB-3</i>'");
		await page.getByRole("searchbox").fill("");
	});

	await check("dashboard: create with a field error, edit, advance, delete with a dialog that names it", async () => {
		await page.getByRole("button", { name: "New intervention" }).click();
		const dialog = page.getByRole("dialog");
		await dialog.getByRole("button", { name: "Create" }).click();
		await dialog.locator(".field-error").first().waitFor();
		await dialog.getByLabel("Reference *").fill("WEB-FORM");
		await dialog.getByLabel("Title *").fill("made by hand");
		await dialog.getByLabel("Latitude").fill("123");
		await dialog.getByRole("button", { name: "Create" }).click();
		await dialog.locator("#field-latitude-error").waitFor();
		await dialog.getByLabel("Latitude").fill("40.75");
		await dialog.getByLabel("Longitude").fill("-73.95");
		await dialog.getByRole("button", { name: "Create" }).click();
		await dialog.waitFor({ state: "detached" });
		await page.getByRole("searchbox").fill("WEB-FORM");
		const row = page.locator("#list tbody tr", { hasText: "WEB-FORM" });
		await row.waitFor();
		await row.getByRole("button", { name: "Edit WEB-FORM" }).click();
		await dialog.getByLabel("Title *").fill("changed by hand");
		await dialog.getByLabel("Technician").selectOption({ index: 1 });
		await dialog.getByRole("button", { name: "Save" }).click();
		await page.locator("#list tbody tr", { hasText: "changed by hand" }).waitFor();
		await row.getByRole("button", { name: "Set to In progress" }).click();
		await row.getByText("In progress").waitFor();
		await row.getByRole("button", { name: "Delete WEB-FORM" }).click();
		await page.getByRole("dialog", { name: "Delete WEB-FORM?" }).getByRole("button", { name: "Delete", exact: true }).click();
		await row.waitFor({ state: "detached" });
		assert((await sql("SELECT count(*) FROM public.interventions WHERE reference = 'WEB-FORM'")) === "0", "gone from the database");
		await page.getByRole("searchbox").fill("");
	});

	await check("dashboard: filters, sort and page are in the URL, restore in a new tab, and go back", async () => {
		await page.getByLabel("Status", { exact: true }).selectOption("COMPLETED");
		await page.getByRole("button", { name: "Reference" }).click();
		await until(() => page.url().includes("sort=reference"), "sort in the URL");
		await page.getByRole("button", { name: "Next", exact: true }).click();
		await until(() => page.url().includes("page=2"), "page in the URL");
		await pan(page, 130, 90);
		const other = await context.newPage();
		await other.goto(page.url());
		await ready(other);
		assert((await other.getByLabel("Status", { exact: true }).inputValue()) === "COMPLETED", "the filter is restored");
		assert((await other.locator(".pager [data-total]").textContent()).startsWith("11–"), "the page is restored");
		const [zoom, lat, lng] = await viewOf(page),
			[z, la, ln] = await viewOf(other),
			pixel = 360 / (256 * 2 ** zoom);
		assert(z === zoom && Math.abs(la - lat) <= pixel && Math.abs(ln - lng) <= pixel, `the map's view is restored: ${z}/${la}/${ln} is not ${zoom}/${lat}/${lng} of ${page.url()}`);
		await other.close();
		await page.goBack();
		await until(async () => (await page.locator(".pager [data-total]").textContent()).startsWith("1–"), "back to the first page");
		assert(page.url().includes("status=COMPLETED"), "the filter stays");
		await page.goto(instance.dashboardUrl);
		await ready(page);
	});

	await check("dashboard: pause holds the figures, resume catches up", async () => {
		await page.getByRole("button", { name: "Pause updates" }).click();
		await page.locator("[data-link=paused]").waitFor();
		const total = number(await kpi(page, "total"));
		await sql(`${INSERT} VALUES ('WEB-4', 'web test', now(), 40.7, -73.9)`);
		const count = await sql("SELECT count(*) FROM public.interventions");
		await until(async () => (await sql("SELECT count(*) >= " + count + " FROM public.interventions")) === "t", "committed");
		await wait(600);
		assert(number(await kpi(page, "total")) === total, "the figure stands while paused");
		await page.getByRole("button", { name: "Resume updates" }).click();
		await until(async () => number(await kpi(page, "total")) === total + 1, "it catches up");
		await sql("DELETE FROM public.interventions WHERE reference = 'WEB-4'");
	});

	await check("api-docs: an operation is found, sent, and its answer shown; the stream is followed", async () => {
		const docs = await context.newPage();
		await docs.goto(`${instance.dashboardUrl}/api/docs`);
		await docs.getByRole("searchbox", { name: "Find" }).fill("get interventions");
		const op = docs.locator("details", { has: docs.locator("summary .path", { hasText: /^\/api\/interventions$/ }) }).first();
		await op.locator("summary").click();
		await op.getByRole("textbox", { name: "size" }).fill("3");
		await op.getByRole("button", { name: "Send" }).click();
		await op.locator(".status.good").waitFor();
		const page3 = JSON.parse(await op.getByRole("group", { name: "Answer" }).textContent());
		assert(page3.size === 3 && page3.content.length === 3, `three rows: ${page3.content.length}`);
		await op.getByRole("textbox", { name: "size" }).fill("no number");
		await op.getByRole("button", { name: "Send" }).click();
		await op.locator(".status.bad", { hasText: "400" }).waitFor();
		await docs.getByRole("searchbox", { name: "Find" }).fill("/api/stream");
		const stream = docs.locator("details:visible").first();
		await stream.locator("summary").click();
		await stream.getByRole("button", { name: "Open" }).click();
		await stream.getByRole("group", { name: "Answer" }).filter({ hasText: "snapshot" }).waitFor();
		await docs.close();
	});

	await check("dashboard: charts are read with the arrow keys and have a table", async () => {
		await sql(`${INSERT} VALUES ('WEB-C', 'a day to draw', now(), 40.7, -73.9)`);
		const chart = page.getByRole("group", { name: /^Interventions per day\./ });
		await chart.focus();
		await page.keyboard.press("ArrowLeft");
		await page.keyboard.press("ArrowLeft");
		await until(async () => /\d/.test(await chart.locator(".chart-read").textContent()), "a value is read");
		await page.locator(".c-trend").getByRole("button", { name: "Data table" }).click();
		assert((await page.locator(".c-trend .values tbody tr").count()) === 14, "a row a day");
		await sql("DELETE FROM public.interventions WHERE reference = 'WEB-C'");
	});

	await check("dashboard: SQL commit to pixel, p50 of 21 at most 150 ms", async () => {
		await page.evaluate(() => {
			window.seen = [];
			const cell = document.querySelector("[data-kpi=total]");
			new MutationObserver(() =>
				requestAnimationFrame(() => window.seen.push([Date.now(), cell.querySelector("[data-value]").textContent])),
			).observe(cell, { subtree: true, childList: true, characterData: true });
		});
		const times = [];
		for (let i = 0; i < 21; i++) {
			await wait(250);
			const n = await page.evaluate(() => window.seen.length);
			await sql(`${INSERT} VALUES ('WEB-L${i}', 'latency', now(), 40.7, -73.9)`);
			const committed = Date.now();
			await until(() => page.evaluate((k) => window.seen.length > k, n), "the pixel changed");
			times.push((await page.evaluate((k) => window.seen[k][0], n)) - committed);
		}
		await sql("DELETE FROM public.interventions WHERE reference LIKE 'WEB-L%'");
		const p50 = median(times);
		assert(p50 <= 150, `p50 ${p50} ms of ${times.join(", ")}`);
		return `p50 ${p50} ms, largest ${Math.max(...times)} ms`;
	});

	await check("dashboard: ten thousand markers: a pan costs at most 100 ms a frame (p95)", async () => {
		await sql(
			`INSERT INTO public.interventions (reference, title, planned_at, latitude, longitude) SELECT 'WEB-M' || g, 'many', now() - interval '40 days', 40.5 + random() * 0.4, -74.2 + random() * 0.4 FROM generate_series(1, 10000) g`,
		);
		await until(async () => Number(await attr(page, "data-markers")) >= 10000, "ten thousand markers", 40000);
		const box = await page.locator(".map").boundingBox();
		/* the best of three rounds: what else the machine does can only slow a frame */
		const yardstick = await Yardstick.start(browser),
			rounds = [];
		let good = false;
		while (!good && rounds.length < 3) {
			await page.evaluate(() => {
				const mine = (window.frames_ = []);
				let last = performance.now();
				const f = (t) => (mine.push(t - last), (last = t), mine === window.frames_ && requestAnimationFrame(f));
				requestAnimationFrame(f);
			});
			for (let i = 0; i < 6; i++) {
				await page.mouse.move(box.x + 300, box.y + 200);
				await page.mouse.down();
				await page.mouse.move(box.x + 300 + (i % 2 ? 60 : -60), box.y + 240, { steps: 10 });
				await page.mouse.up();
			}
			const frames = (await page.evaluate(() => window.frames_)).sort((a, b) => a - b);
			const p95 = frames[Math.floor(frames.length * 0.95)],
				limit = 100 * (await yardstick.times());
			good = p95 <= limit;
			rounds.push(`${p95.toFixed(0)} of ${limit.toFixed(0)} ms`);
		}
		await yardstick.end();
		await sql("DELETE FROM public.interventions WHERE reference LIKE 'WEB-M%'");
		assert(good, `p95 ${rounds.join(", ")}`);
		return `p95 ${rounds.join(", ")}`;
	});

	await check("dashboard: server stopped: banner, last data kept; recovery without reload", async () => {
		await page.evaluate(() => (window.sameDocument = true));
		const total = await kpi(page, "total");
		await instance.down();
		await page.locator(".banner").waitFor();
		await page.locator("main.stale").waitFor();
		assert((await kpi(page, "total")) === total, "the last figure is still there");
		await instance.up();
		await page.locator("[data-link=live]").waitFor();
		await page.locator(".banner").waitFor({ state: "detached" });
		await sql(`${INSERT} VALUES ('WEB-5', 'after', now(), 40.7, -73.9)`);
		await until(async () => number(await kpi(page, "total")) === number(total) + 1, "live again");
		await sql("DELETE FROM public.interventions WHERE reference = 'WEB-5'");
		assert(await page.evaluate(() => window.sameDocument), "the page was not loaded again");
	});
	await context.close();
}
