/* What is painted when, and how wide. */
import { signal } from "@preact/signals";
import { useRef, useState } from "preact/hooks";

/* What may wait until words and figures are on the screen. A tab in the background paints nothing: there it is soon. */
export function afterPaint(run: () => void): void {
	let done = false;
	const once = () => {
		if (!done) run();
		done = true;
	};
	requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(once)));
	setTimeout(once, 1000);
}

/* When nothing else is waiting, or after a second: for what may come behind the words and figures of a page. */
export const idle = (): Promise<void> =>
	new Promise((ok) => {
		if ("requestIdleCallback" in window) requestIdleCallback(() => ok(), { timeout: 1000 });
		else setTimeout(ok, 100);
	});

/* False until the first frame is on the screen: what lies below the fold is rendered after it. */
export const painted = signal(false);

/* The width of an element's content box, 0 until it is known. */
export function useWidth<E extends HTMLElement>(): [(e: E | null) => void, number] {
	const [width, setWidth] = useState(0);
	const watch = useRef<ResizeObserver | null>(null);
	const ref = useRef((e: E | null) => {
		watch.current?.disconnect();
		if (!e) return;
		watch.current = new ResizeObserver((list) => setWidth(Math.floor(list[0]?.contentRect.width ?? 0)));
		watch.current.observe(e);
		setWidth(Math.floor(e.clientWidth));
	});
	return [ref.current, width];
}
