/* What surrounds each page: header, settings, help, banner, skip link. */
import { signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { addShortcuts, focusSearch, helpOpen, shortcuts } from "../lib/keys.ts";
import { langChoice, setLang, setTheme, setZone, themeChoice, zoneChoice, type Lang, type Theme } from "../lib/prefs.ts";
import { navigate, path } from "../lib/router.ts";
import { paused, setPaused } from "../lib/stream.ts";
import { Button, ConfirmDialog, Dialog, Toasts } from "./bits.tsx";
import { Icon, type IconName } from "./icons.tsx";
import { Banner, FreshnessBadge, LiveBadge, staleClass } from "./live.tsx";

const settingsOpen = signal(false);

function Choice<V extends string>(p: {
	label: string;
	value: V;
	options: readonly (readonly [V, string])[];
	onChange: (v: V) => void;
}): JSX.Element {
	return (
		<label class="field">
			<span>{p.label}</span>
			<select class="input" value={p.value} onChange={(e) => p.onChange(e.currentTarget.value as V)}>
				{p.options.map(([v, text]) => (
					<option key={v} value={v} selected={v === p.value}>
						{text}
					</option>
				))}
			</select>
		</label>
	);
}

const ZONES = [
	"browser",
	"UTC",
	"America/New_York",
	"America/Chicago",
	"America/Los_Angeles",
	"Europe/Paris",
	"Europe/London",
	"Asia/Tokyo",
];

function Settings(): JSX.Element | null {
	if (!settingsOpen.value) return null;
	const s = t().set;
	const close = () => (settingsOpen.value = false);
	const zones = ZONES.includes(zoneChoice.value) ? ZONES : [...ZONES, zoneChoice.value];
	return (
		<Dialog title={t().app.menu} onClose={close}>
			<div class="form">
				<Choice<Theme>
					label={s.theme}
					value={themeChoice.value}
					onChange={setTheme}
					options={[
						["system", s.system],
						["light", s.light],
						["dark", s.dark],
					]}
				/>
				<Choice<Lang | "browser">
					label={s.language}
					value={langChoice.value}
					onChange={setLang}
					options={[
						["browser", s.browser],
						["en", s.english],
						["fr", s.french],
					]}
				/>
				<Choice<string>
					label={s.zone}
					value={zoneChoice.value}
					onChange={setZone}
					options={zones.map(
						(z) => [z, z === "browser" ? `${s.browser} (${Intl.DateTimeFormat().resolvedOptions().timeZone})` : z] as const,
					)}
				/>
			</div>
			<footer class="spread">
				<a href="/licences.txt" data-load>
					{s.licences}
				</a>
				<Button label={s.shortcuts} onClick={() => (close(), (helpOpen.value = true))} />
			</footer>
		</Dialog>
	);
}

function Help(): JSX.Element | null {
	if (!helpOpen.value) return null;
	return (
		<Dialog title={t().help.title} onClose={() => (helpOpen.value = false)}>
			<dl class="keys">
				{shortcuts.value.map((s) => (
					<div key={s.keys}>
						<dt>
							{s.keys.split(" ").map((k) => (
								<kbd key={k}>{k}</kbd>
							))}
						</dt>
						<dd>{s.label()}</dd>
					</div>
				))}
				<div>
					<dt>
						<kbd>Esc</kbd>
					</dt>
					<dd>{t().help.esc}</dd>
				</div>
			</dl>
		</Dialog>
	);
}

/* The other face's address, where both stand on their ports; elsewhere a proxy decides and no link is better than a wrong one. */
function other(): { href: string; label: string; icon: IconName } | null {
	if (location.port === "8080") return { href: `//${location.hostname}:8085/`, label: t().app.openConsole, icon: "topic" };
	if (location.port === "8085") return { href: `//${location.hostname}:8080/`, label: t().app.openDashboard, icon: "dash" };
	return null;
}

const THEMES: Theme[] = ["system", "light", "dark"];
const nextTheme = (): void => setTheme(THEMES[(THEMES.indexOf(themeChoice.peek()) + 1) % 3] ?? "system");

export interface NavItem {
	href: string;
	label: () => string;
	icon: IconName;
	key: string;
}

export function Shell({
	title,
	nav,
	tools,
	children,
}: {
	title: string;
	nav: NavItem[];
	tools?: ComponentChildren;
	children: ComponentChildren;
}): JSX.Element {
	useEffect(
		() =>
			addShortcuts([
				{ keys: "?", label: () => t().help.help, run: () => (helpOpen.value = true) },
				{ keys: "/", label: () => t().help.search, run: focusSearch },
				{ keys: "p", label: () => t().help.pause, run: () => setPaused(!paused.peek()) },
				{ keys: "t", label: () => t().help.theme, run: nextTheme },
				...nav.map((n) => ({ keys: `g ${n.key}`, label: () => t().help.goto(n.label()), run: () => navigate(n.href) })),
			]),
		[nav],
	);
	const o = other();
	return (
		<>
			<a class="skip" href="#main">
				{t().app.skip}
			</a>
			<header class="top">
				<a class="brand" href="/">
					<svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
						<rect width="32" height="32" rx="7" />
						<path d="M5 20c3.5 0 3.5-8 7-8s3.5 8 7 8 3.5-8 8-8" />
					</svg>
					<span>walmill</span>
					<span class="brand-part">{title}</span>
				</a>
				{nav.length > 0 && (
					<nav aria-label={title}>
						{nav.map((n) => (
							<a
								key={n.href}
								href={n.href}
								aria-current={
									n.href === "/"
										? path.value === "/"
											? "page"
											: undefined
										: path.value.startsWith(n.href)
											? "page"
											: undefined
								}
							>
								<Icon name={n.icon} />
								<span>{n.label()}</span>
							</a>
						))}
					</nav>
				)}
				<div class="top-tools">
					{tools}
					<FreshnessBadge />
					<LiveBadge />
					{o && (
						<a class="button bare ghost" href={o.href} aria-label={o.label} title={o.label}>
							<Icon name={o.icon} />
						</a>
					)}
					<Button bare kind="ghost" icon="gear" label={t().app.menu} onClick={() => (settingsOpen.value = true)} />
				</div>
			</header>
			<Banner />
			<main id="main" tabIndex={-1} class={staleClass.value}>
				{children}
			</main>
			<Settings />
			<Help />
			<ConfirmDialog />
			<Toasts />
		</>
	);
}
