/* The shared worker: one feed for all tabs of this origin. A tab says hello with its topics, and goodbye when hidden, paused or closed. */
import { Feed, type FeedEvent } from "./feed.ts";

export type ToWorker = { type: "hello"; topics: string[]; lock: string } | { type: "bye" };

const tabs = new Map<MessagePort, string[]>();
let idle: ReturnType<typeof setTimeout> | undefined;

const feed = new Feed((e) => {
	for (const [port, topics] of tabs) if (e.type === "link" || topics.includes(e.message.data.topic)) port.postMessage(e);
});

function settle(): void {
	clearTimeout(idle);
	const wanted = [...tabs.values()].flat();
	/* a reload says goodbye and hello within a moment: the connection outlives it */
	if (wanted.length) feed.want(wanted);
	else idle = setTimeout(() => feed.want([]), 2000);
}

function hello(port: MessagePort, topics: string[], lock: string): void {
	tabs.set(port, topics);
	port.postMessage({ type: "link", link: feed.link, retryAt: feed.retryAt } satisfies FeedEvent);
	for (const topic of topics) {
		const s = feed.states.get(topic);
		if (!s?.ready) continue;
		const data = { topic, rows: [...s.rows.values()], committedAt: s.committedAt ?? undefined };
		port.postMessage({ type: "message", message: { kind: "snapshot", data } } satisfies FeedEvent);
	}
	settle();
	/* a tab that crashed says no goodbye, but lets go of its lock */
	void navigator.locks?.request(lock, () => {
		if (tabs.delete(port)) settle();
	});
}

(self as unknown as { onconnect: (e: MessageEvent) => void }).onconnect = (e) => {
	const port = e.ports[0];
	if (!port) return;
	port.onmessage = (m: MessageEvent<ToWorker>) => {
		if (m.data.type === "hello") hello(port, m.data.topics, m.data.lock);
		else if (tabs.delete(port)) settle();
	};
};
