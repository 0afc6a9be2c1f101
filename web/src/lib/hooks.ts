/* Small hooks that pages share. */
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "./api.ts";
import { earlyAnswer } from "./early.ts";
import { subscribe } from "./stream.ts";

export function useTopics(...names: string[]): void {
	useEffect(() => subscribe(names), [names.join()]);
}

export interface Loaded<T> {
	data: T | null;
	error: Error | null;
	loading: boolean;
	reload: () => void;
}

/*
 * GET of url (null: nothing), again when it changes, when `again` changes or reload is called. The data of before stay while new ones come,
 * and after an error; of answers that overtake each other only the last request's counts.
 */
export function useGet<T>(url: string | null, again: unknown = 0): Loaded<T> {
	const [given] = useState(() => (url ? (earlyAnswer(url) as T | undefined) : undefined));
	const [state, set] = useState<{ data: T | null; error: Error | null; loading: boolean }>({
		data: given ?? null,
		error: null,
		loading: !!url && given === undefined,
	});
	const [n, setN] = useState(0);
	const last = useRef("");
	useEffect(() => {
		if (!url) return;
		if (given !== undefined && !last.current) {
			last.current = url.split("?")[0] ?? "";
			return;
		}
		const abort = new AbortController();
		const other = last.current !== url.split("?")[0];
		last.current = url.split("?")[0] ?? "";
		set((s) => ({ data: other ? null : s.data, error: s.error, loading: true }));
		get<T>(url, abort.signal).then(
			(data) => set({ data, error: null, loading: false }),
			(error: Error) => error.name !== "AbortError" && set((s) => ({ data: s.data, error, loading: false })),
		);
		return () => abort.abort();
	}, [url, n, again]);
	return { ...state, reload: () => setN((x) => x + 1) };
}

/* Whether anybody can see the page. */
export function useVisible(): boolean {
	const [visible, set] = useState(!document.hidden);
	useEffect(() => {
		const look = () => set(!document.hidden);
		document.addEventListener("visibilitychange", look);
		return () => document.removeEventListener("visibilitychange", look);
	}, []);
	return visible;
}

/* The value as it was when it last differed for at least ms. */
export function useCalm<T>(value: T, ms: number): T {
	const [calm, setCalm] = useState(value);
	useEffect(() => {
		const t = setTimeout(() => setCalm(value), ms);
		return () => clearTimeout(t);
	}, [value, ms]);
	return calm;
}
