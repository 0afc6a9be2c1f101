/*
 * What the document asked for before this script was here (src/early.js): the first rows of the stream, and answers by their address. The
 * first rendering waits for them a little, so that it is a whole one; whatever came too late or failed is asked for in the usual way.
 */
import type { Message } from "./fold.ts";

declare global {
	interface Window {
		early?: { stream: Promise<Response>; answers: Map<string, Promise<Response>>; abort: AbortController };
	}
}

/* the first rendering waits no longer than this: the shell is better than nothing */
const PATIENCE_MS = 250;
/* nor does the stream, for a database that is away */
const GIVE_UP_MS = 1500;

const answers = new Map<string, unknown>();

/* The answer to a GET, if it is here and fresh: until forgetEarly. */
export const earlyAnswer = (url: string): unknown => answers.get(url);
export const forgetEarly = (): void => answers.clear();

/* The events of a stream that has ended, text/event-stream: a type and one line of data each. */
export function eventsOf(text: string): Message[] {
	const out: Message[] = [];
	for (const block of text.split("\n\n")) {
		const kind = /^event: (\w+)$/m.exec(block)?.[1],
			data = /^data: (.*)$/m.exec(block)?.[1];
		if (kind && data) out.push({ kind, data: JSON.parse(data) } as Message);
	}
	return out;
}

async function rowsOnce(early: NonNullable<Window["early"]>): Promise<Message[]> {
	const late = setTimeout(() => early.abort.abort(), GIVE_UP_MS);
	try {
		const res = await early.stream;
		return res.ok ? eventsOf(await res.text()) : [];
	} catch {
		return [];
	} finally {
		clearTimeout(late);
	}
}

async function keep(url: string, answer: Promise<Response>): Promise<void> {
	try {
		const res = await answer;
		if (res.ok) answers.set(url, await res.json());
	} catch {
		/* asked for again by whoever needs it, who also shows what is wrong */
	}
}

const early = window.early;
/* the first snapshots, or nothing; never rejects */
export const earlyRows: Promise<Message[]> = early ? rowsOnce(early) : Promise.resolve([]);
const all = Promise.all([earlyRows, ...[...(early?.answers ?? [])].map(([url, answer]) => keep(url, answer))]);
/* when there is something to render: all of it, or not in time */
export const earlyReady = Promise.race([all, new Promise((ok) => setTimeout(ok, PATIENCE_MS))]);
