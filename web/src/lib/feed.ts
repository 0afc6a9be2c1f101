/*
 * One connection to /api/stream for the topics that anybody wants, or, where the server has no stream, the same resources asked for every
 * two seconds. Runs in the shared worker (one connection for all tabs) or, without one, in the page.
 */
import { emptyTopic, fold, type Message, type TopicState } from "./fold.ts";

export type Link = "connecting" | "live" | "reconnecting" | "disconnected" | "polling";
export type FeedEvent = { type: "message"; message: Message } | { type: "link"; link: Link; retryAt: number };

/* Where a topic's rows are when there is no stream; interventions are paged by the page itself. */
const REST: Record<string, string> = {
	load: "/api/dashboard/technician-load",
	map: "/api/dashboard/map",
	health: "/api/health",
	connectors: "/api/connectors",
	jobs: "/api/jobs",
	topics: "/api/topics",
	groups: "/api/groups",
};
const POLL_MS = 2000;
/* the freshness topic says something every second: silence for so long is a dead connection that nobody closed */
const SILENCE_MS = 12000;
const RETRY_MS = [300, 1000, 2000, 3000, 5000];

export class Feed {
	states = new Map<string, TopicState>();
	link: Link = "connecting";
	retryAt = 0;
	private topics: string[] = [];
	private source: EventSource | null = null;
	private timer: ReturnType<typeof setTimeout> | undefined;
	private silence: ReturnType<typeof setInterval> | undefined;
	private heard = 0;
	private failures = 0;
	private opened = false;

	constructor(private tell: (e: FeedEvent) => void) {}

	/* Asks for exactly these topics; an empty list closes. */
	want(topics: string[]): void {
		const sorted = [...new Set(topics)].sort();
		if (sorted.join() === this.topics.join() && (this.source || this.timer)) return;
		this.topics = sorted;
		this.close();
		for (const name of [...this.states.keys()]) if (!sorted.includes(name)) this.states.delete(name);
		if (sorted.length) this.open();
	}

	close(): void {
		this.source?.close();
		this.source = null;
		clearTimeout(this.timer);
		clearInterval(this.silence);
		this.timer = undefined;
	}

	private setLink(link: Link, retryAt = 0): void {
		this.link = link;
		this.retryAt = retryAt;
		this.tell({ type: "link", link, retryAt });
	}

	private open(): void {
		if (this.link !== "live" && this.failures === 0) this.setLink("connecting");
		const s = new EventSource(`/api/stream?topics=${this.topics.join(",")}`);
		this.source = s;
		this.opened = false;
		this.heard = Date.now();
		s.onopen = () => {
			this.opened = true;
			this.failures = 0;
			this.setLink("live");
		};
		for (const kind of ["snapshot", "delta", "resync"] as const)
			s.addEventListener(kind, (e) => this.receive(kind, (e as MessageEvent<string>).data));
		s.onerror = () => void this.broken();
		this.silence = setInterval(() => {
			if (Date.now() - this.heard > SILENCE_MS && this.opened) void this.broken();
		}, 2000);
	}

	private receive(kind: Message["kind"], text: string): void {
		this.heard = Date.now();
		if (this.link !== "live") this.setLink("live");
		this.apply({ kind, data: JSON.parse(text) } as Message);
	}

	private apply(message: Message): void {
		const topic = message.data.topic;
		this.states.set(topic, fold(this.states.get(topic) ?? emptyTopic(), message));
		this.tell({ type: "message", message });
	}

	/*
	 * EventSource alone would try again after a lost connection, but not after an answer that is not 200; so each new attempt is ours. A
	 * server that answers but has no stream is polled.
	 */
	private async broken(): Promise<void> {
		const again = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)] ?? 5000;
		const mine = this.topics;
		this.close();
		this.failures++;
		this.setLink(this.failures > 2 ? "disconnected" : "reconnecting", Date.now() + again);
		if (!this.opened && (await hasNoStream()) && mine === this.topics) return this.poll();
		if (mine !== this.topics) return;
		this.timer = setTimeout(() => this.open(), again);
	}

	private poll(): void {
		const round = async () => {
			const mine = this.topics;
			let failed = false;
			for (const topic of mine) {
				const url = REST[topic];
				if (!url) continue;
				try {
					const res = await fetch(url);
					if (!res.ok) continue;
					const body = await res.json();
					this.apply({ kind: "snapshot", data: { topic, rows: topic === "health" ? body.checks : body } });
				} catch {
					failed = true;
				}
			}
			if (mine !== this.topics) return;
			this.setLink(failed ? "disconnected" : "polling");
			this.timer = setTimeout(() => void round(), POLL_MS);
		};
		this.timer = setTimeout(() => void round(), 0);
	}
}

async function hasNoStream(): Promise<boolean> {
	try {
		const abort = new AbortController();
		const res = await fetch("/api/stream?topics=health", { signal: abort.signal });
		abort.abort();
		return res.status === 404;
	} catch {
		return false;
	}
}
