/* Requests and their errors: problem+json of walmill's own resources, and the shapes of Connect and the jobs API. */
export interface FieldError {
	pointer: string;
	detail: string;
}

export class Problem extends Error {
	constructor(
		readonly status: number,
		readonly title: string,
		detail: string,
		readonly requestId: string,
		readonly errors: FieldError[],
	) {
		super(detail || title);
	}
	/* the message of the field, by its name in the body */
	field(name: string): string | undefined {
		return this.errors.find((e) => e.pointer === `/${name}`)?.detail;
	}
}

interface ErrorBody {
	title?: string;
	detail?: string;
	requestId?: string;
	errors?: (FieldError | string)[];
	message?: string;
	error_code?: number;
}

async function problemOf(res: Response): Promise<Problem> {
	const text = await res.text();
	let body: ErrorBody = {};
	try {
		body = JSON.parse(text) as ErrorBody;
	} catch {
		body = { detail: text.slice(0, 300) };
	}
	const plain = (body.errors ?? []).filter((e): e is string => typeof e === "string");
	const fields = (body.errors ?? []).filter((e): e is FieldError => typeof e === "object");
	return new Problem(
		res.status,
		body.title ?? res.statusText,
		body.detail ?? body.message ?? plain.join("\n"),
		body.requestId ?? res.headers.get("X-Request-Id") ?? "",
		fields,
	);
}

export async function request<T>(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<T> {
	const init: RequestInit = { method };
	if (signal) init.signal = signal;
	if (body !== undefined) {
		init.body = JSON.stringify(body);
		init.headers = { "Content-Type": "application/json" };
	}
	const res = await fetch(url, init);
	if (!res.ok) throw await problemOf(res);
	const text = await res.text();
	return (text ? JSON.parse(text) : undefined) as T;
}

export const get = <T>(url: string, signal?: AbortSignal): Promise<T> => request<T>("GET", url, undefined, signal);
