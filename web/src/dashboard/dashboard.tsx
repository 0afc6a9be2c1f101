/* Entry of the dashboard: the shell at once, the board when its script is here. */
import { signal } from "@preact/signals";
import { render, type ComponentType, type JSX } from "preact";
import { t } from "../i18n/index.ts";
import { path } from "../lib/router.ts";
import { subscribe } from "../lib/stream.ts";
import { Empty, Skeleton } from "../ui/bits.tsx";
import { Shell } from "../ui/shell.tsx";

const board = signal<ComponentType | null>(null);
/* asked for now, so that the rows come while the script that shows them does */
subscribe(["daily", "load", "map", "interventions"]);
void import("./board.tsx").then((m) => (board.value = m.Board));

function App(): JSX.Element {
	const Board = board.value;
	const title = t().app.dashboard;
	document.title = `walmill · ${title}`;
	return (
		<Shell title={title} nav={[]}>
			{path.value !== "/" ? (
				<Empty title={t().word.notFound}>
					<a href="/">{t().app.dashboard}</a>
				</Empty>
			) : Board ? (
				<Board />
			) : (
				<Skeleton height={600} />
			)}
		</Shell>
	);
}

const root = document.getElementById("app");
if (root) render(<App />, root);
