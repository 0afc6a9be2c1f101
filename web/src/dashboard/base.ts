/*
 * The base layer: land, borders, graticule and names, drawn from the outlines that come with the page. Colours come from the style sheet.
 */
import { feature } from "topojson-client";
import type { Topology, GeometryCollection } from "topojson-specification";
import type { FeatureCollection, Geometry, Position } from "geojson";
import { idle } from "../lib/paint.ts";
import type { Painter } from "./canvas.ts";

declare const BASE_URL: string;

interface Shape {
	rings: Float32Array[];
	box: [number, number, number, number];
	name: string;
	label: [number, number];
	extent: number;
}
interface Base {
	world: Shape[];
	states: Shape[];
	counties: Shape[];
	places: [string, number, number, number][];
}
interface File {
	world: Topology<{ countries: GeometryCollection<{ name: string }> }>;
	us: Topology<{ states: GeometryCollection<{ name: string }>; counties: GeometryCollection<{ name: string }> }>;
	places: [string, number, number, number][];
}

function shapes(fc: FeatureCollection<Geometry, { name: string }>): Shape[] {
	return fc.features.flatMap((f) => {
		const polygons =
			f.geometry.type === "Polygon" ? [f.geometry.coordinates] : f.geometry.type === "MultiPolygon" ? f.geometry.coordinates : [];
		const rings = polygons.flat().map((ring: Position[]) => Float32Array.from(ring.flatMap(([x, y]) => [x ?? 0, y ?? 0])));
		if (!rings.length) return [];
		/* the name stands in the middle of the largest ring */
		const boxes = rings.map(boxOf);
		const area = (b: number[]) => ((b[2] ?? 0) - (b[0] ?? 0)) * ((b[3] ?? 0) - (b[1] ?? 0));
		const largest = boxes.reduce((a, b) => (area(b) > area(a) ? b : a));
		const all = boxes.reduce((a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])]);
		return [
			{
				rings,
				box: all,
				name: f.properties.name,
				label: [(largest[0] + largest[2]) / 2, (largest[1] + largest[3]) / 2] as [number, number],
				extent: largest[2] - largest[0],
			},
		];
	});
}

function boxOf(ring: Float32Array): [number, number, number, number] {
	const b: [number, number, number, number] = [180, 90, -180, -90];
	for (let i = 0; i < ring.length; i += 2) {
		const x = ring[i] ?? 0,
			y = ring[i + 1] ?? 0;
		if (x < b[0]) b[0] = x;
		if (y < b[1]) b[1] = y;
		if (x > b[2]) b[2] = x;
		if (y > b[3]) b[3] = y;
	}
	return b;
}

/* In pieces, behind what the page says in words and figures: it is a tenth of a second of work. */
export async function loadBase(): Promise<Base> {
	const f = (await (await fetch(BASE_URL)).json()) as File;
	await idle();
	const world = shapes(feature(f.world, f.world.objects.countries));
	await idle();
	const states = shapes(feature(f.us, f.us.objects.states));
	await idle();
	return { world, states, counties: shapes(feature(f.us, f.us.objects.counties)), places: f.places };
}

interface Palette {
	land: string;
	near: string;
	line: string;
	coast: string;
	label: string;
	grid: string;
	font: string;
}

export function palette(el: HTMLElement): Palette {
	const of = (name: string) => {
		el.style.setProperty("outline-color", `var(${name})`);
		const c = getComputedStyle(el).outlineColor;
		el.style.removeProperty("outline-color");
		return c;
	};
	return {
		land: of("--map-land"),
		near: of("--map-near"),
		line: of("--map-line"),
		coast: of("--map-coast"),
		label: of("--map-label"),
		grid: of("--map-grid"),
		font: getComputedStyle(document.body).fontFamily,
	};
}

const STEPS = [30, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01];

export function basePainter(base: Base, colours: () => Palette): Painter {
	return (c, project, size, map) => {
		const p = colours(),
			zoom = map.getZoom(),
			view = map.getBounds().pad(0.3);
		const west = view.getWest(),
			east = view.getEast(),
			south = view.getSouth(),
			north = view.getNorth();
		const seen = (s: Shape) => s.box[0] <= east && s.box[2] >= west && s.box[1] <= north && s.box[3] >= south;
		const trace = (s: Shape) => {
			for (const ring of s.rings) {
				for (let i = 0; i < ring.length; i += 2) {
					const [x, y] = project(ring[i + 1] ?? 0, ring[i] ?? 0);
					if (i) c.lineTo(x, y);
					else c.moveTo(x, y);
				}
				c.closePath();
			}
		};
		const draw = (list: Shape[], fill: string, stroke: string, width: number) => {
			c.beginPath();
			for (const s of list) trace(s);
			c.fillStyle = fill;
			c.fill("evenodd");
			c.strokeStyle = stroke;
			c.lineWidth = width;
			c.stroke();
		};
		const close = zoom >= 6,
			detail = zoom >= 8;
		const world = base.world.filter((s) => seen(s) && !(close && s.name === "United States of America"));
		const states = close ? base.states.filter(seen) : [],
			counties = detail ? base.counties.filter(seen) : [];
		c.lineJoin = "round";
		draw(world, p.land, p.coast, 1);
		if (states.length) draw(states, p.land, p.coast, 1);
		for (const s of counties) draw([s], p.near, p.line, 1.2);
		graticule(c, project, view, zoom, p, size);
		names(
			c,
			project,
			zoom,
			p,
			[
				...(zoom < 6.5 ? world.map((s) => [s, 0] as const) : []),
				...(zoom >= 5.5 && zoom < 9 ? states.map((s) => [s, 1] as const) : []),
				...(zoom >= 8.5 ? counties.map((s) => [s, 2] as const) : []),
			],
			base.places,
			size,
		);
	};
}

type Project = Parameters<Painter>[1];

function graticule(
	c: CanvasRenderingContext2D,
	project: Project,
	view: L.LatLngBounds,
	zoom: number,
	p: Palette,
	size: { w: number; h: number },
): void {
	const step = STEPS.find((s) => (s / 360) * 256 * 2 ** zoom < 190) ?? 0.01;
	c.beginPath();
	for (let x = Math.ceil(view.getWest() / step) * step; x <= view.getEast(); x += step) {
		const [px] = project(0, x);
		c.moveTo(px, 0);
		c.lineTo(px, size.h);
	}
	for (let y = Math.ceil(view.getSouth() / step) * step; y <= view.getNorth(); y += step) {
		const [, py] = project(y, 0);
		c.moveTo(0, py);
		c.lineTo(size.w, py);
	}
	c.strokeStyle = p.grid;
	c.lineWidth = 1;
	c.stroke();
}

/* Names in the order of their importance, each left out when it would touch one that stands already. */
function names(
	c: CanvasRenderingContext2D,
	project: Project,
	zoom: number,
	p: Palette,
	areas: (readonly [Shape, number])[],
	places: Base["places"],
	size: { w: number; h: number },
): void {
	const taken: [number, number, number, number][] = [];
	c.textAlign = "center";
	c.textBaseline = "middle";
	c.lineJoin = "round";
	const put = (text: string, x: number, y: number, font: string, alpha: number, spaced: boolean) => {
		if (x < 0 || y < 0 || x > size.w || y > size.h) return;
		c.font = font;
		if ("letterSpacing" in c) c.letterSpacing = spaced ? "1.5px" : "0px";
		const w = c.measureText(text).width / 2 + 5,
			b: [number, number, number, number] = [x - w, y - 9, x + w, y + 9];
		if (taken.some((o) => o[0] < b[2] && o[2] > b[0] && o[1] < b[3] && o[3] > b[1])) return;
		taken.push(b);
		c.globalAlpha = alpha;
		c.strokeStyle = p.near;
		c.lineWidth = 3;
		c.strokeText(text, x, y);
		c.fillStyle = p.label;
		c.fillText(text, x, y);
		c.globalAlpha = 1;
	};
	for (const [s, kind] of [...areas].sort((a, b) => b[1] - a[1] || b[0].extent - a[0].extent)) {
		const px = (s.extent / 360) * 256 * 2 ** zoom;
		if (px < s.name.length * 5) continue;
		const [x, y] = project(s.label[1], s.label[0]);
		put(
			kind === 2 ? s.name.toUpperCase() : s.name,
			x,
			y,
			`600 ${kind === 2 ? 11 : 12}px ${p.font}`,
			kind === 2 ? 0.95 : 0.8,
			kind === 2,
		);
	}
	for (const [name, lng, lat, rank] of places) {
		if (zoom < [0, 3.5, 6, 8.5, 11.2][rank]! || (rank < 3 && zoom > 10.5)) continue;
		const [x, y] = project(lat, lng);
		put(name, x, y, `${rank < 3 ? 500 : 400} ${rank < 3 ? 12 : 11}px ${p.font}`, 1, false);
	}
}
