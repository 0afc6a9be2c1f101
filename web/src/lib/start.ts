/* How both pages begin: one first rendering, whole if it can be, and then what lies below the fold. */
import { render, type ComponentChild } from "preact";
import { earlyReady, forgetEarly } from "./early.ts";
import { afterPaint, painted } from "./paint.ts";

export async function start(app: ComponentChild): Promise<void> {
	const root = document.getElementById("app");
	await earlyReady;
	if (root) render(app, root);
	afterPaint(() => {
		painted.value = true;
		setTimeout(forgetEarly);
	});
}
