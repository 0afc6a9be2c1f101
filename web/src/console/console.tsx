/* Entry of the console: the shell at once, its rooms when their script is here. */
import { signal } from "@preact/signals";
import { render, type ComponentType, type JSX } from "preact";
import { t } from "../i18n/index.ts";
import { path } from "../lib/router.ts";
import { Skeleton } from "../ui/bits.tsx";
import { Shell, type NavItem } from "../ui/shell.tsx";

const rooms = signal<ComponentType | null>(null);
void import("./rooms.tsx").then((m) => (rooms.value = m.Rooms));

const NAV: NavItem[] = [
	{ href: "/", label: () => t().nav.home, icon: "home", key: "h" },
	{ href: "/topics", label: () => t().nav.topics, icon: "topic", key: "t" },
	{ href: "/groups", label: () => t().nav.groups, icon: "group", key: "g" },
	{ href: "/connectors", label: () => t().nav.connectors, icon: "plug", key: "c" },
	{ href: "/jobs", label: () => t().nav.jobs, icon: "job", key: "j" },
];

function App(): JSX.Element {
	const Rooms = rooms.value;
	const title = t().app.console,
		[, section, name] = path.value.split("/");
	document.title = ["walmill", section ? (t().nav as Record<string, string>)[section] : title, name && decodeURIComponent(name)]
		.filter(Boolean)
		.join(" · ");
	return (
		<Shell title={title} nav={NAV}>
			{Rooms ? <Rooms /> : <Skeleton height={500} />}
		</Shell>
	);
}

const root = document.getElementById("app");
if (root) render(<App />, root);
