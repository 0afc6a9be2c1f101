/* Entry of the console: the shell and home; the other rooms come with their script. */
import { signal } from "@preact/signals";
import type { ComponentType, JSX } from "preact";
import { t } from "../i18n/index.ts";
import { afterPaint } from "../lib/paint.ts";
import { match, path } from "../lib/router.ts";
import { start } from "../lib/start.ts";
import { Skeleton } from "../ui/bits.tsx";
import { Shell, type NavItem } from "../ui/shell.tsx";
import { Home } from "./home.tsx";
import { ROOMS } from "./nav.ts";

const rooms = signal<ComponentType | null>(null);
const loadRooms = (): void => void import("./rooms.tsx").then((m) => (rooms.value = m.Rooms));
/* the first page of a viewer may be any: then its script was preloaded by early.js */
if (match("/")) afterPaint(loadRooms);
else loadRooms();

const NAV: NavItem[] = ROOMS.map((r) => ({ ...r, label: () => t().nav[r.name] }));

function App(): JSX.Element {
	const Rooms = rooms.value;
	const title = t().app.console,
		[, section, name] = path.value.split("/");
	document.title = ["walmill", section ? (t().nav as Record<string, string>)[section] : title, name && decodeURIComponent(name)]
		.filter(Boolean)
		.join(" · ");
	return (
		<Shell title={title} nav={NAV}>
			{match("/") ? <Home /> : Rooms ? <Rooms /> : <Skeleton height={500} />}
		</Shell>
	);
}

void start(<App />);
