/* Small pieces: states, buttons, empty and error places, copying. */
import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { Problem } from "../lib/api.ts";
import { dateTimeSeconds, iso, relative } from "../lib/format.ts";
import { Icon, Shape, toneOf, type IconName } from "./icons.tsx";

export type Status = "SCHEDULED" | "IN_PROGRESS" | "COMPLETED" | "VALIDATED";
export const STATUSES: readonly Status[] = ["SCHEDULED", "IN_PROGRESS", "COMPLETED", "VALIDATED"];

export function stateWord(state: string): string {
	return t().state[state] ?? (t().status as Record<string, string>)[state] ?? state;
}

export function State({ state, plain }: { state: string; plain?: boolean }): JSX.Element {
	return (
		<span class={plain ? "state" : `state pill tone-${toneOf(state)}`}>
			<Shape tone={toneOf(state)} />
			<span>{stateWord(state)}</span>
		</span>
	);
}

interface ButtonProps {
	icon?: IconName;
	label: string;
	onClick?: (e: MouseEvent) => void;
	kind?: "primary" | "danger" | "ghost";
	bare?: boolean;
	disabled?: boolean;
	busy?: boolean;
	type?: "button" | "submit";
	pressed?: boolean;
	title?: string;
	id?: string;
}

/* bare: the icon alone, the label as its name */
export function Button(p: ButtonProps): JSX.Element {
	return (
		<button
			id={p.id}
			type={p.type ?? "button"}
			class={`button ${p.kind ?? ""} ${p.bare ? "bare" : ""}`}
			onClick={p.onClick}
			disabled={p.disabled || p.busy}
			aria-label={p.bare ? p.label : undefined}
			title={p.title ?? (p.bare ? p.label : undefined)}
			aria-pressed={p.pressed}
			aria-busy={p.busy}
		>
			{p.icon && <Icon name={p.icon} />}
			{!p.bare && <span>{p.label}</span>}
		</button>
	);
}

export function Card(p: {
	title?: string;
	id?: string;
	class?: string;
	aside?: ComponentChildren;
	children: ComponentChildren;
	flush?: boolean;
}): JSX.Element {
	return (
		<section class={`card ${p.class ?? ""}`} id={p.id} aria-label={p.title}>
			{p.title && (
				<header class="card-head">
					<h2>{p.title}</h2>
					{p.aside && <div class="card-aside">{p.aside}</div>}
				</header>
			)}
			<div class={p.flush ? "card-body flush" : "card-body"}>{p.children}</div>
		</section>
	);
}

export function Empty({ title, why, children }: { title: string; why?: string; children?: ComponentChildren }): JSX.Element {
	return (
		<div class="empty">
			<svg width="56" height="28" viewBox="0 0 56 28" aria-hidden="true">
				<path d="M2 20c8 0 8-14 17-14s8 14 17 14 9-14 18-14" />
			</svg>
			<p class="empty-title">{title}</p>
			{why && <p>{why}</p>}
			{children}
		</div>
	);
}

export function ErrorBox({ error, retry, stale }: { error: Error; retry?: () => void; stale?: boolean }): JSX.Element {
	const p = error instanceof Problem ? error : null;
	return (
		<div class="error-box" role="alert">
			<Shape tone="fail" size={14} />
			<div>
				<strong>{p ? t().err.title : t().err.network}</strong>
				<p>{error.message}</p>
				{p?.requestId && (
					<p class="muted">
						{t().word.requestId} <code>{p.requestId}</code>
					</p>
				)}
				{stale && <p class="muted">{t().err.last}</p>}
			</div>
			{retry && <Button label={t().act.retry} icon="restart" onClick={retry} />}
		</div>
	);
}

export function Skeleton({ lines = 3, height }: { lines?: number; height?: number }): JSX.Element {
	return (
		<div
			class="skeleton"
			aria-busy="true"
			aria-label={t().word.loading}
			role="status"
			style={height ? { height: `${height}px` } : undefined}
		>
			{!height && Array.from({ length: lines }, (_, i) => <span key={i} style={{ width: `${90 - ((i * 23) % 40)}%` }} />)}
		</div>
	);
}

export function Copy({ text, label }: { text: string; label?: string }): JSX.Element {
	const copy = () => void navigator.clipboard.writeText(text).then(() => toast(t().act.copied));
	return <Button bare icon="copy" kind="ghost" label={`${t().act.copy}${label ? ` ${label}` : ""}`} onClick={copy} />;
}

/* A second hand that everything relative shares. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 1000);

export function When({ at, absolute }: { at: string | number | null | undefined; absolute?: boolean }): JSX.Element {
	if (at === null || at === undefined) return <span class="muted">–</span>;
	const exact = `${dateTimeSeconds(at)} · ${iso(at)}`;
	return (
		<time dateTime={iso(at)} title={absolute ? `${relative(at, now.value)} · ${iso(at)}` : exact}>
			{absolute ? dateTimeSeconds(at) : relative(at, now.value)}
		</time>
	);
}

/* ---- toasts ---- */

interface Toast {
	id: number;
	text: string;
	bad: boolean;
}
const toasts = signal<Toast[]>([]);
let lastToast = 0;

export function toast(text: string, bad = false): void {
	const id = ++lastToast;
	toasts.value = [...toasts.value.slice(-2), { id, text, bad }];
	setTimeout(() => (toasts.value = toasts.value.filter((x) => x.id !== id)), bad ? 8000 : 4000);
}

export function Toasts(): JSX.Element {
	return (
		<div class="toasts" role="status" aria-live="polite">
			{toasts.value.map((x) => (
				<div key={x.id} class="toast">
					<Shape tone={x.bad ? "fail" : "ok"} />
					{x.text}
				</div>
			))}
		</div>
	);
}

/* ---- dialogs ---- */

export function Dialog(p: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }): JSX.Element {
	const [element, set] = useState<HTMLDialogElement | null>(null);
	useEffect(() => {
		if (!element) return;
		const before = document.activeElement as HTMLElement | null;
		element.showModal();
		return () => before?.isConnected && before.focus();
	}, [element]);
	return (
		<dialog
			ref={set}
			class={p.wide ? "dialog wide" : "dialog"}
			aria-label={p.title}
			onCancel={(e) => (e.preventDefault(), p.onClose())}
			onClick={(e) => e.target === element && p.onClose()}
		>
			<div class="dialog-in">
				<header>
					<h2>{p.title}</h2>
					<Button bare icon="close" kind="ghost" label={t().act.close} onClick={p.onClose} />
				</header>
				{p.children}
			</div>
		</dialog>
	);
}

export interface Confirmation {
	title: string;
	text: string;
	action: string;
	typed?: string;
	run: () => Promise<unknown>;
}
export const confirmation = signal<Confirmation | null>(null);

/* The dialog of what can't be taken back: names the object, and has its name typed when `typed` is given. */
export function ConfirmDialog(): JSX.Element | null {
	const c = confirmation.value;
	const [text, setText] = useState("");
	const [busy, setBusy] = useState(false);
	const [error, setError] = useState<Error | null>(null);
	if (!c) return null;
	const close = () => {
		confirmation.value = null;
		setText("");
		setError(null);
		setBusy(false);
	};
	const run = (e: Event) => {
		e.preventDefault();
		setBusy(true);
		c.run().then(close, (x: Error) => (setError(x), setBusy(false)));
	};
	return (
		<Dialog title={c.title} onClose={close}>
			<form onSubmit={run}>
				<p>{c.text}</p>
				{c.typed && (
					<input
						class="input"
						aria-label={t().job.confirmName}
						value={text}
						onInput={(e) => setText(e.currentTarget.value)}
						autocomplete="off"
						spellcheck={false}
					/>
				)}
				{error && <ErrorBox error={error} />}
				<footer>
					<Button label={t().act.cancel} onClick={close} />
					<Button kind="danger" type="submit" label={c.action} busy={busy} disabled={!!c.typed && text !== c.typed} />
				</footer>
			</form>
		</Dialog>
	);
}
