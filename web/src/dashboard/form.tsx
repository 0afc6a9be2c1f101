/* Creating and editing an intervention. Errors of the server stand at their fields. */
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { t } from "../i18n/index.ts";
import { Problem, request } from "../lib/api.ts";
import { fieldOf, instantOf } from "../lib/format.ts";
import { Button, Dialog, ErrorBox, toast } from "../ui/bits.tsx";
import type { Intervention, User } from "./data.ts";

interface FieldProps {
	name: string;
	label: string;
	error?: string | undefined;
	full?: boolean;
	children: (id: string, described: Record<string, unknown>) => ComponentChildren;
}

function Field(p: FieldProps): JSX.Element {
	const id = `field-${p.name}`;
	return (
		<div class={p.full ? "field full" : "field"}>
			<label for={id}>
				<span class="muted">{p.label}</span>
			</label>
			{p.children(id, { "aria-invalid": p.error ? "true" : undefined, "aria-describedby": p.error ? `${id}-error` : undefined })}
			{p.error && (
				<span class="field-error" id={`${id}-error`}>
					{p.error}
				</span>
			)}
		</div>
	);
}

const numberOrNull = (s: string): number | null => (s.trim() === "" ? null : Number(s));

export function EditDialog({
	row,
	technicians,
	onClose,
	onDone,
}: {
	row: Intervention | null;
	technicians: User[];
	onClose: () => void;
	onDone: () => void;
}): JSX.Element {
	const [v, set] = useState({
		reference: row?.reference ?? "",
		title: row?.title ?? "",
		description: row?.description ?? "",
		plannedAt: fieldOf(row ? Date.parse(row.plannedAt) : Date.now() + 3600000),
		assignmentMode: row?.assignmentMode ?? "MANUAL",
		technicianId: row?.technician ? String(row.technician.id) : "",
		latitude: row?.latitude?.toString() ?? "",
		longitude: row?.longitude?.toString() ?? "",
	});
	const [error, setError] = useState<Error | null>(null);
	const [missing, setMissing] = useState<string[]>([]);
	const [busy, setBusy] = useState(false);
	const at = (name: keyof typeof v) => ({
		value: v[name],
		onInput: (e: { currentTarget: { value: string } }) => {
			const value = e.currentTarget.value;
			set((old) => ({ ...old, [name]: value }));
		},
	});
	const wrong = (name: string) =>
		(error instanceof Problem ? error.field(name) : undefined) ?? (missing.includes(name) ? t().list.missing : undefined);
	const save = (e: Event) => {
		e.preventDefault();
		const needed = (row ? ["title", "plannedAt"] : ["reference", "title", "plannedAt"]).filter((n) => !v[n as keyof typeof v].trim());
		setMissing(needed);
		if (needed.length) return document.getElementById(`field-${needed[0]}`)?.focus();
		const body = {
			...(row ? {} : { reference: v.reference.trim() }),
			title: v.title,
			description: v.description || null,
			plannedAt: new Date(instantOf(v.plannedAt)).toISOString(),
			assignmentMode: v.assignmentMode,
			technicianId: v.assignmentMode === "AUTO" || !v.technicianId ? null : Number(v.technicianId),
			latitude: numberOrNull(v.latitude),
			longitude: numberOrNull(v.longitude),
		};
		setBusy(true);
		request(row ? "PUT" : "POST", row ? `/api/interventions/${row.id}` : "/api/interventions", body).then(
			() => {
				toast(row ? t().list.saved(row.reference) : t().list.created(v.reference));
				onDone();
			},
			(x: Error) => {
				setError(x);
				setBusy(false);
			},
		);
	};
	const l = t().list;
	const elsewhere = error && !(error instanceof Problem && error.errors.length);
	return (
		<Dialog wide title={row ? l.editTitle(row.reference) : l.create} onClose={onClose}>
			<form onSubmit={save} noValidate>
				<div class="form two">
					{!row && (
						<Field name="reference" label={`${l.reference} *`} error={wrong("reference")}>
							{(id, d) => <input id={id} class="input" required maxLength={50} {...at("reference")} {...d} />}
						</Field>
					)}
					<Field name="title" label={`${l.subject} *`} error={wrong("title")} full={!!row}>
						{(id, d) => <input id={id} class="input" required maxLength={160} {...at("title")} {...d} />}
					</Field>
					<Field name="description" label={l.description} error={wrong("description")} full>
						{(id, d) => <textarea id={id} class="input" maxLength={4000} {...at("description")} {...d} />}
					</Field>
					<Field name="plannedAt" label={`${l.planned} *`} error={wrong("plannedAt")}>
						{(id, d) => <input id={id} class="input" type="datetime-local" required {...at("plannedAt")} {...d} />}
					</Field>
					<Field name="assignmentMode" label={l.mode} error={wrong("assignmentMode")}>
						{(id, d) => (
							<select id={id} class="input" {...at("assignmentMode")} {...d}>
								<option value="MANUAL">{l.MANUAL}</option>
								<option value="AUTO">{l.AUTO}</option>
							</select>
						)}
					</Field>
					<Field name="technicianId" label={l.technician} error={wrong("technicianId")} full>
						{(id, d) => (
							<select id={id} class="input" disabled={v.assignmentMode === "AUTO"} {...at("technicianId")} {...d}>
								<option value="">{l.nobody}</option>
								{technicians.map((u) => (
									<option key={u.id} value={String(u.id)} selected={String(u.id) === v.technicianId}>
										{u.fullName}
									</option>
								))}
							</select>
						)}
					</Field>
					<Field name="latitude" label={l.latitude} error={wrong("latitude")}>
						{(id, d) => <input id={id} class="input" inputMode="decimal" {...at("latitude")} {...d} />}
					</Field>
					<Field name="longitude" label={l.longitude} error={wrong("longitude")}>
						{(id, d) => <input id={id} class="input" inputMode="decimal" {...at("longitude")} {...d} />}
					</Field>
				</div>
				{elsewhere && <ErrorBox error={error} />}
				<footer>
					<Button label={t().act.cancel} onClick={onClose} />
					<Button kind="primary" type="submit" label={row ? t().act.save : t().act.create} busy={busy} />
				</footer>
			</form>
		</Dialog>
	);
}
