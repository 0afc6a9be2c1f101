/* Entry of the dashboard: shell and board; the map and the line of days come after the first paint. */
import type { JSX } from "preact";
import { t } from "../i18n/index.ts";
import { path } from "../lib/router.ts";
import { start } from "../lib/start.ts";
import { subscribe } from "../lib/stream.ts";
import { Empty } from "../ui/bits.tsx";
import { Shell } from "../ui/shell.tsx";
import { Board } from "./board.tsx";

subscribe(["daily", "load", "map", "interventions"]);

function App(): JSX.Element {
	const title = t().app.dashboard;
	document.title = `walmill · ${title}`;
	return (
		<Shell title={title} nav={[]}>
			{path.value !== "/" ? (
				<Empty title={t().word.notFound}>
					<a href="/">{t().app.dashboard}</a>
				</Empty>
			) : (
				<Board />
			)}
		</Shell>
	);
}

void start(<App />);
