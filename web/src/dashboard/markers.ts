/* The interventions on the map: one sprite a status, drawn for each row; rings around those that have just come or moved. */
import type { Painter } from "./canvas.ts";
import type { Point } from "./data.ts";
import type { Status } from "../ui/bits.tsx";
import type { Row } from "../lib/fold.ts";

const RING_MS = 1400;
const SIDE = 18;

export interface Pulse {
	lat: number;
	lng: number;
	status: Status;
	at: number;
}

/* drawn for the very pixels it will cover: ten thousand copies cost much less than ten thousand scalings */
function sprite(status: Status, colour: string, halo: string, pixels: number): HTMLCanvasElement {
	const e = document.createElement("canvas"),
		k = pixels / SIDE;
	e.width = e.height = pixels;
	const c = e.getContext("2d")!;
	c.scale(k, k);
	c.translate(SIDE / 2, SIDE / 2);
	c.lineJoin = c.lineCap = "round";
	const circle = (r: number) => (c.beginPath(), c.arc(0, 0, r, 0, Math.PI * 2));
	c.strokeStyle = c.fillStyle = halo;
	if (status === "COMPLETED") c.fillRect(-5.5, -5.5, 11, 11);
	else (circle(6), c.fill());
	c.strokeStyle = c.fillStyle = colour;
	c.lineWidth = 2;
	if (status === "SCHEDULED") (circle(4), c.stroke());
	else if (status === "IN_PROGRESS") (circle(4), c.stroke(), c.beginPath(), c.arc(0, 0, 4, -Math.PI / 2, Math.PI / 2), c.fill());
	else if (status === "COMPLETED") c.fillRect(-4, -4, 8, 8);
	else {
		circle(5);
		c.fill();
		c.strokeStyle = halo;
		c.lineWidth = 1.7;
		c.beginPath();
		c.moveTo(-2.3, 0.2);
		c.lineTo(-0.6, 1.9);
		c.lineTo(2.4, -1.8);
		c.stroke();
	}
	return e;
}

export class Markers {
	private sprites: Partial<Record<Status, HTMLCanvasElement>> = {};
	private colours: Partial<Record<Status, string>> = {};
	private halo = "#fff";
	private pixels = 0;
	private pulses: Pulse[] = [];
	rows: ReadonlyMap<string, Row> = new Map();
	shown: ReadonlySet<Status> = new Set();
	/* of which something has a ring around it, 0 for none */
	selected = 0;

	theme(colours: Record<Status, string>, halo: string): void {
		this.colours = colours;
		this.halo = halo;
		this.pixels = 0;
	}

	private make(pixels: number): void {
		if (pixels === this.pixels) return;
		this.pixels = pixels;
		for (const [s, c] of Object.entries(this.colours)) this.sprites[s as Status] = sprite(s as Status, c, this.halo, pixels);
	}

	pulse(p: Point): void {
		if (this.pulses.length < 200) this.pulses.push({ lat: p.latitude, lng: p.longitude, status: p.status, at: performance.now() });
	}

	/* whether rings still run */
	get busy(): boolean {
		const now = performance.now();
		this.pulses = this.pulses.filter((p) => now - p.at < RING_MS);
		return this.pulses.length > 0;
	}

	paint: Painter = (c, project, size, map) => {
		/* from afar many stand close together: smaller */
		const side = SIDE * Math.min(1, Math.max(0.5, 0.5 + (map.getZoom() - 9) * 0.16));
		const ratio = c.getTransform().a || 1,
			pixels = Math.round(side * ratio);
		this.make(pixels);
		let chosen: [number, number] | null = null;
		for (const row of this.rows.values()) {
			const p = row as unknown as Point;
			if (!this.shown.has(p.status)) continue;
			const [x, y] = project(p.latitude, p.longitude);
			if (x < -SIDE || y < -SIDE || x > size.w + SIDE || y > size.h + SIDE) continue;
			const s = this.sprites[p.status];
			if (s)
				c.drawImage(
					s,
					Math.round(x * ratio - pixels / 2) / ratio,
					Math.round(y * ratio - pixels / 2) / ratio,
					pixels / ratio,
					pixels / ratio,
				);
			if (p.interventionId === this.selected) chosen = [x, y];
		}
		const now = performance.now();
		c.lineWidth = 2;
		for (const p of this.pulses) {
			const part = (now - p.at) / RING_MS;
			if (part > 1) continue;
			const [x, y] = project(p.lat, p.lng);
			c.globalAlpha = 1 - part;
			c.strokeStyle = this.colours[p.status] ?? "#888";
			c.beginPath();
			c.arc(x, y, 6 + part * 18, 0, Math.PI * 2);
			c.stroke();
		}
		c.globalAlpha = 1;
		if (chosen) {
			c.strokeStyle = this.colours.IN_PROGRESS ?? "#07b";
			c.lineWidth = 2.5;
			c.beginPath();
			c.arc(chosen[0], chosen[1], 11, 0, Math.PI * 2);
			c.stroke();
		}
	};

	/* the row drawn last within reach of a place of the container, in pixels */
	hit(at: { x: number; y: number }, project: (lat: number, lng: number) => { x: number; y: number }): Point | null {
		let best: Point | null = null,
			least = 12 * 12;
		for (const row of this.rows.values()) {
			const p = row as unknown as Point;
			if (!this.shown.has(p.status)) continue;
			const q = project(p.latitude, p.longitude),
				d = (q.x - at.x) ** 2 + (q.y - at.y) ** 2;
			if (d <= least) {
				best = p;
				least = d;
			}
		}
		return best;
	}
}
