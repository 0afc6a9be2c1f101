/* The rooms of the console but home, loaded after the shell. */
import type { JSX } from "preact";
import { t } from "../i18n/index.ts";
import { match } from "../lib/router.ts";
import { Empty } from "../ui/bits.tsx";
import { ConnectorPage, Connectors } from "./connectors.tsx";
import { GroupPage, Groups } from "./groups.tsx";
import { JobPage, Jobs } from "./jobs.tsx";
import { TopicPage, Topics } from "./topics.tsx";

export function Rooms(): JSX.Element {
	const one = (pattern: string) => match(pattern)?.[0];
	const topic = one("/topics/{}"),
		group = one("/groups/{}"),
		connector = one("/connectors/{}"),
		job = one("/jobs/{}");
	if (match("/topics")) return <Topics />;
	if (match("/groups")) return <Groups />;
	if (match("/connectors")) return <Connectors />;
	if (match("/jobs")) return <Jobs />;
	if (topic) return <TopicPage key={topic} name={topic} />;
	if (group) return <GroupPage key={group} id={group} />;
	if (connector) return <ConnectorPage key={connector} name={connector} />;
	if (job) return <JobPage key={job} id={job} />;
	return (
		<Empty title={t().word.notFound}>
			<a href="/">{t().nav.home}</a>
		</Empty>
	);
}
