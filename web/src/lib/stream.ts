/*
 * The page's side of the live stream: topics as signals. Messages wait for the next animation frame and are folded there, all at once, so
 * that a burst costs one rendering.
 */
import { batch, computed, signal, type Signal } from "@preact/signals";
import { earlyRows } from "./early.ts";
import { emptyTopic, fold, type Message, type TopicState } from "./fold.ts";
import { Feed, type FeedEvent, type Link } from "./feed.ts";
import { afterPaint } from "./paint.ts";
import type { ToWorker } from "./worker.ts";

declare const WORKER_URL: string;

export const link = signal<Link>("connecting");
export const retryAt = signal(0);
export const paused = signal(false);
/* when something last arrived, in milliseconds of this machine's clock */
export const heardAt = signal(0);

const topics = new Map<string, Signal<TopicState>>();
const wanted = new Map<string, number>();
const waiting: Message[] = [];
let frame = 0;

export function topic(name: string): Signal<TopicState> {
	let s = topics.get(name);
	if (!s) topics.set(name, (s = signal(emptyTopic())));
	return s;
}

export function rowsOf<T>(name: string): Signal<T[]> {
	const t = topic(name);
	return computed(() => [...t.value.rows.values()] as T[]) as Signal<T[]>;
}

function flush(): void {
	cancelAnimationFrame(frame);
	frame = 0;
	batch(() => {
		const fresh = new Map<string, TopicState>();
		for (const m of waiting) {
			const before = fresh.get(m.data.topic) ?? { ...topic(m.data.topic).peek(), changed: new Set<string>() };
			fresh.set(m.data.topic, fold(before, m));
		}
		waiting.length = 0;
		for (const [name, state] of fresh) topic(name).value = state;
		heardAt.value = Date.now();
	});
}

function receive(e: FeedEvent): void {
	if (e.type === "link") {
		link.value = e.link;
		retryAt.value = e.retryAt;
		return;
	}
	if (paused.peek()) return;
	waiting.push(e.message);
	if (!frame) frame = requestAnimationFrame(flush);
}

/* ---- the connection ---- */

interface Port {
	hello(topics: string[]): void;
	bye(): void;
}
let port: Port | null = null;

function sharedPort(): Port {
	const worker = new SharedWorker(WORKER_URL, { type: "module", name: "walmill" });
	const lock = `walmill-tab-${Math.random().toString(36).slice(2)}`;
	const held = new Promise<void>((ready) => {
		if (!navigator.locks) return ready();
		void navigator.locks.request(lock, () => (ready(), new Promise<never>(() => {})));
	});
	const post = (m: ToWorker) => worker.port.postMessage(m);
	worker.port.onmessage = (m: MessageEvent<FeedEvent>) => receive(m.data);
	return { hello: (t) => void held.then(() => post({ type: "hello", topics: t, lock })), bye: () => post({ type: "bye" }) };
}

function ownPort(): Port {
	const feed = new Feed(receive);
	return { hello: (t) => feed.want(t), bye: () => feed.want([]) };
}

/*
 * The first rows are those that the document asked for. The worker, a process of its own to start, comes when they have been painted; its
 * snapshots then say the same or newer.
 */
void earlyRows.then((rows) => {
	waiting.push(...rows);
	if (rows.length) flush();
	afterPaint(() => {
		port = typeof SharedWorker === "function" ? sharedPort() : ownPort();
		settle();
	});
});

function settle(): void {
	if (!port) return;
	const list = [...wanted.keys()];
	if (!list.length || paused.peek() || document.hidden) port.bye();
	else port.hello([...list, "freshness"]);
}

let settling = false;
function settleSoon(): void {
	if (settling) return;
	settling = true;
	queueMicrotask(() => {
		settling = false;
		settle();
	});
}

/* Subscribes until the function that it returns is called. */
export function subscribe(names: string[]): () => void {
	for (const n of names) wanted.set(n, (wanted.get(n) ?? 0) + 1);
	settleSoon();
	return () => {
		for (const n of names) {
			const left = (wanted.get(n) ?? 1) - 1;
			if (left) wanted.set(n, left);
			else wanted.delete(n);
		}
		settleSoon();
	};
}

export function setPaused(on: boolean): void {
	paused.value = on;
	settleSoon();
}

document.addEventListener("visibilitychange", settleSoon);
addEventListener("pagehide", () => port?.bye());
addEventListener("pageshow", (e) => e.persisted && settleSoon());
