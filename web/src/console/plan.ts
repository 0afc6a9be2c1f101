/* The plan, its figures, exceptions and checkpoints, from the jobs API's own shapes, which the console has under /flink. Pure. */
import type { PlanNode } from "./model.ts";

export interface FlinkJob {
	vertices: {
		id: string;
		name: string;
		metrics: { "read-records": number; "write-records": number };
		walmill?: { rows_in_per_second: number; rows_out_per_second: number; state_rows: number; state_bytes: number };
	}[];
	plan: { nodes: { id: string; description: string; inputs?: { id: string }[] }[] };
}
export interface FlinkExceptions {
	exceptionHistory: { entries: { timestamp: number; exceptionName: string; stacktrace: string }[] };
}
export interface Checkpoint {
	id: number;
	status: string;
	trigger_timestamp: number;
	checkpointed_size: number;
	end_to_end_duration: number;
}
export interface FlinkCheckpoints {
	counts: { completed: number; failed: number };
	history: Checkpoint[];
}

export interface Plan {
	nodes: PlanNode[];
	edges: { from: string; to: string }[];
}

/* "Source: public.interventions" is a kind and what it is about; of the others the plan has the description. */
export function planOf(job: FlinkJob): Plan {
	const described = new Map(job.plan.nodes.map((n) => [n.id, n]));
	const nodes = job.vertices.map((v): PlanNode => {
		const [kind = v.name, about] = v.name.split(": ");
		const text = described.get(v.id)?.description ?? "";
		return {
			id: v.id,
			kind,
			description: about ?? text.replace(new RegExp(`^${kind} `, "i"), ""),
			rowsIn: v.metrics["read-records"],
			rowsOut: v.metrics["write-records"],
			rowsInPerSecond: v.walmill?.rows_in_per_second ?? 0,
			rowsOutPerSecond: v.walmill?.rows_out_per_second ?? 0,
			stateRows: v.walmill?.state_rows ?? 0,
			stateBytes: v.walmill?.state_bytes ?? 0,
		};
	});
	const edges = job.plan.nodes.flatMap((n) => (n.inputs ?? []).map((i) => ({ from: i.id, to: n.id })));
	return { nodes, edges };
}
