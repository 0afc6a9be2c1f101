/* The map itself, loaded after the first paint: offline base layer, live markers, popup. */
import { effect } from "@preact/signals";
import L from "leaflet";
import { render, type JSX } from "preact";
import { t } from "../i18n/index.ts";
import { get } from "../lib/api.ts";
import { dateTime } from "../lib/format.ts";
import { dark } from "../lib/prefs.ts";
import { query, setQuery } from "../lib/router.ts";
import { topic } from "../lib/stream.ts";
import { State } from "../ui/bits.tsx";
import { basePainter, loadBase, palette } from "./base.ts";
import { CanvasLayer } from "./canvas.ts";
import { Markers } from "./markers.ts";
import { mapStatuses, spotlight, type Intervention, type Point } from "./data.ts";

const TOPIC = "map";
const FIT: L.FitBoundsOptions = { maxZoom: 14, animate: false, padding: [12, 12] };
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function Popup({ point, row }: { point: Point; row: Intervention | null }): JSX.Element {
	return (
		<div class="popup">
			<strong>{row ? row.title : `#${point.interventionId}`}</strong>
			<State state={point.status} plain />
			<dl>
				{row && (
					<>
						<dt>{t().list.reference}</dt>
						<dd>{row.reference}</dd>
					</>
				)}
				{row && (
					<>
						<dt>{t().list.technician}</dt>
						<dd>{row.technician?.fullName ?? t().list.nobody}</dd>
					</>
				)}
				<dt>{t().map.planned}</dt>
				<dd>{dateTime(point.plannedAt)}</dd>
				<dt>{t().map.updated}</dt>
				<dd>{dateTime(point.updatedAt)}</dd>
			</dl>
		</div>
	);
}

/* The part of the rows that most of them stand in: without the outermost fiftieth on each side. */
function extent(rows: Iterable<Point>): L.LatLngBounds | null {
	const lat: number[] = [],
		lng: number[] = [];
	for (const p of rows) {
		lat.push(p.latitude);
		lng.push(p.longitude);
	}
	if (!lat.length) return null;
	lat.sort((a, b) => a - b);
	lng.sort((a, b) => a - b);
	const lo = Math.floor(lat.length * 0.02),
		hi = Math.ceil(lat.length * 0.98) - 1;
	return L.latLngBounds([lat[lo] ?? 0, lng[lo] ?? 0], [lat[hi] ?? 0, lng[hi] ?? 0]);
}

export class LiveMap {
	readonly map: L.Map;
	private markers = new Markers();
	private layer: CanvasLayer;
	private base: CanvasLayer | null = null;
	private popup: { id: number; at: L.Popup; node: HTMLElement; row: Intervention | null } | null = null;
	private placed = false;
	private stop: (() => void)[] = [];
	private byViewer = true;
	private fitted: L.LatLngBounds | null = null;

	constructor(private host: HTMLElement) {
		this.map = L.map(host, {
			zoomControl: false,
			attributionControl: true,
			zoomSnap: 0.5,
			minZoom: 2,
			maxZoom: 18,
			worldCopyJump: true,
			zoomAnimation: !calm.matches,
		});
		this.map.attributionControl.setPrefix("").addAttribution(t().map.attribution);
		L.control.zoom({ zoomInTitle: t().map.zoomIn, zoomOutTitle: t().map.zoomOut }).addTo(this.map);
		L.control.scale({ imperial: false }).addTo(this.map);
		this.layer = new CanvasLayer(this.markers.paint, "markers", 450);
		const [z, lat, lng] = (query.peek().get("map") ?? "").split("/").map(Number);
		this.byViewer = false;
		if (z && Number.isFinite(lat) && Number.isFinite(lng)) {
			this.map.setView([lat ?? 0, lng ?? 0], z);
			this.placed = true;
		} else this.map.setView([40.72, -73.95], 10);
		this.byViewer = true;
		this.layer.addTo(this.map);
		this.map.on("moveend", () => this.moved());
		this.map.on("click", (e) => this.clicked(e));
		/* a change of the page's layout keeps the middle, and is no choice of the viewer's */
		const seen = new ResizeObserver(() => this.resized());
		seen.observe(host);
		this.stop.push(
			() => seen.disconnect(),
			effect(() => this.themed()),
			effect(() => this.fed()),
			effect(() => this.spot()),
		);
		this.note();
		void loadBase().then((b) => {
			this.base = new CanvasLayer(
				basePainter(b, () => palette(host)),
				"base",
				150,
			);
			if (this.stop.length) this.base.addTo(this.map);
			host.dataset.base = "ready";
		});
	}

	destroy(): void {
		this.stop.forEach((f) => f());
		this.stop = [];
		this.map.remove();
	}

	/* until the viewer moves it, the map shows the rows that it was fitted to, also in a place of another size */
	private resized(): void {
		this.quietly(() => {
			this.map.invalidateSize({ animate: false });
			if (this.fitted) this.map.fitBounds(this.fitted, FIT);
		});
	}

	/* moves the map without that counting as the viewer's choice */
	private quietly(move: () => void): void {
		this.byViewer = false;
		move();
		this.byViewer = true;
		this.note();
	}

	private note(): void {
		const c = this.map.getCenter();
		this.host.dataset.view = `${+this.map.getZoom().toFixed(2)}/${c.lat.toFixed(5)}/${c.lng.toFixed(5)}`;
	}

	private moved(): void {
		this.note();
		if (this.byViewer) {
			this.placed = true;
			this.fitted = null;
			setQuery({ map: this.host.dataset.view ?? null });
		}
	}

	fit(): void {
		const rows = [...this.markers.rows.values()] as unknown as Point[];
		const e = extent(rows);
		if (!e) return;
		this.fitted = e;
		this.map.fitBounds(e, FIT);
	}

	private themed(): void {
		dark.value;
		const css = (name: string) => {
			this.host.style.setProperty("outline-color", `var(${name})`);
			const c = getComputedStyle(this.host).outlineColor;
			this.host.style.removeProperty("outline-color");
			return c;
		};
		this.markers.theme(
			{ SCHEDULED: css("--grey"), IN_PROGRESS: css("--blue"), COMPLETED: css("--sky"), VALIDATED: css("--green") },
			css("--surface"),
		);
		this.base?.redraw();
		this.layer.redraw();
	}

	/* New rows: drawn in the next frame; the view stays where the viewer left it. */
	private fed(): void {
		const s = topic(TOPIC).value;
		this.markers.rows = s.rows;
		this.markers.shown = mapStatuses.value;
		this.host.dataset.markers = String(s.rows.size);
		if (!this.placed && s.rows.size) {
			this.quietly(() => this.fit());
			this.placed = true;
		}
		if (s.changed && s.changed.size && !calm.matches) {
			for (const k of s.changed) {
				const row = s.rows.get(k) as unknown as Point | undefined;
				if (row && this.markers.shown.has(row.status)) this.markers.pulse(row);
			}
			this.ring();
		}
		this.layer.redraw();
		if (this.popup) this.refreshPopup();
	}

	private ring(): void {
		if (!this.markers.busy || !this.stop.length) return;
		this.layer.redraw();
		requestAnimationFrame(() => setTimeout(() => this.ring(), 50));
	}

	private spot(): void {
		const s = spotlight.value;
		if (!s) return;
		this.map.setView(s.at, Math.max(this.map.getZoom(), 13), { animate: false });
		const row = this.markers.rows.get(String(s.id)) as unknown as Point | undefined;
		if (row) this.show(row);
	}

	private clicked(e: L.LeafletMouseEvent): void {
		const p = this.markers.hit(e.containerPoint, (lat, lng) => this.map.latLngToContainerPoint([lat, lng]));
		if (p) this.show(p);
	}

	private show(p: Point): void {
		const node = document.createElement("div");
		const at = L.popup({ autoPan: true, offset: [0, -4] })
			.setLatLng([p.latitude, p.longitude])
			.setContent(node);
		render(<Popup point={p} row={null} />, node);
		at.openOn(this.map);
		this.popup = { id: p.interventionId, at, node, row: null };
		this.markers.selected = p.interventionId;
		at.on("remove", () => {
			this.popup = null;
			this.markers.selected = 0;
			this.layer.redraw();
		});
		this.layer.redraw();
		this.describe();
	}

	private describe(): void {
		const mine = this.popup;
		if (!mine) return;
		void get<Intervention>(`/api/interventions/${mine.id}`).then(
			(row) => {
				if (this.popup !== mine) return;
				mine.row = row;
				this.refreshPopup(false);
			},
			() => undefined,
		);
	}

	/* the popup follows its row, and goes when the row does */
	private refreshPopup(ask = true): void {
		const p = this.popup;
		if (!p) return;
		const row = this.markers.rows.get(String(p.id)) as unknown as Point | undefined;
		if (!row) return void this.map.closePopup(p.at);
		const at = p.at.getLatLng();
		if (at?.lat !== row.latitude || at.lng !== row.longitude) {
			p.at.options.autoPan = false;
			p.at.setLatLng([row.latitude, row.longitude]);
		}
		render(<Popup point={row} row={p.row} />, p.node);
		if (ask && topic(TOPIC).peek().changed?.has(String(p.id))) this.describe();
	}
}
