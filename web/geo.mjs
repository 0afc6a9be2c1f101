/*
 * The base layer of the map, made of public-domain data: countries of Natural Earth (world-atlas), states and counties of the US Census
 * (us-atlas), and names of places: large cities written down here, and the neighbourhoods that New York's 311 requests name, each at the
 * middle of the places where they were reported.
 *
 * Outlines are simplified, but not around the cities of REGIONS, where a viewer zooms in.
 */
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { quantize } from "topojson-client";
import { presimplify } from "topojson-simplify";

const require = createRequire(import.meta.url);
const load = (name) => JSON.parse(readFileSync(require.resolve(name), "utf8"));

/* west, south, east, north */
const REGIONS = [
	[-75.6, 39.9, -71.8, 42.0],
	[-89.2, 41.0, -86.9, 43.1],
];
/* areas below which a bend is left out, in square degrees */
const WORLD_WEIGHT = 0.02,
	US_WEIGHT = 0.004;

const CITIES = [
	["New York", -74.006, 40.7128, 1],
	["Chicago", -87.6298, 41.8781, 1],
	["Los Angeles", -118.2437, 34.0522, 1],
	["Boston", -71.0589, 42.3601, 1],
	["Philadelphia", -75.1652, 39.9526, 2],
	["Washington", -77.0369, 38.9072, 1],
	["Montréal", -73.5674, 45.5019, 1],
	["Toronto", -79.3832, 43.6532, 1],
	["San Francisco", -122.4194, 37.7749, 1],
	["Houston", -95.3698, 29.7604, 1],
	["Miami", -80.1918, 25.7617, 1],
	["Mexico", -99.1332, 19.4326, 1],
	["São Paulo", -46.6333, -23.5505, 1],
	["London", -0.1276, 51.5072, 1],
	["Paris", 2.3522, 48.8566, 1],
	["Lyon", 4.8357, 45.764, 2],
	["Marseille", 5.3698, 43.2965, 2],
	["Toulouse", 1.4442, 43.6047, 2],
	["Bordeaux", -0.5792, 44.8378, 2],
	["Nantes", -1.5536, 47.2184, 2],
	["Lille", 3.0573, 50.6292, 2],
	["Strasbourg", 7.7521, 48.5734, 2],
	["Nice", 7.262, 43.7102, 2],
	["Rennes", -1.6778, 48.1173, 2],
	["Montpellier", 3.8767, 43.6108, 2],
	["Grenoble", 5.7245, 45.1885, 2],
	["Madrid", -3.7038, 40.4168, 1],
	["Barcelona", 2.1734, 41.3851, 2],
	["Roma", 12.4964, 41.9028, 1],
	["Berlin", 13.405, 52.52, 1],
	["Bruxelles", 4.3517, 50.8503, 2],
	["Genève", 6.1432, 46.2044, 2],
	["Casablanca", -7.5898, 33.5731, 1],
	["Dakar", -17.4677, 14.7167, 1],
	["Lagos", 3.3792, 6.5244, 1],
	["Cairo", 31.2357, 30.0444, 1],
	["Moscow", 37.6173, 55.7558, 1],
	["Mumbai", 72.8777, 19.076, 1],
	["Beijing", 116.4074, 39.9042, 1],
	["Tokyo", 139.6503, 35.6762, 1],
	["Sydney", 151.2093, -33.8688, 1],
	["Newark", -74.1724, 40.7357, 3],
	["Jersey City", -74.0431, 40.7178, 3],
	["Yonkers", -73.8988, 40.9312, 3],
	["Harlem", -73.9465, 40.8116, 4],
	["Upper West Side", -73.9754, 40.787, 4],
	["Midtown", -73.984, 40.7549, 4],
	["Chelsea", -74.0014, 40.7465, 4],
	["Lower East Side", -73.9843, 40.715, 4],
	["Washington Heights", -73.9393, 40.8417, 4],
	["Williamsburg", -73.9571, 40.7081, 4],
	["Greenpoint", -73.9515, 40.7305, 4],
	["Bushwick", -73.9213, 40.6944, 4],
	["Bedford-Stuyvesant", -73.9418, 40.6872, 4],
	["Crown Heights", -73.9442, 40.6694, 4],
	["Flatbush", -73.9592, 40.6409, 4],
	["Park Slope", -73.9777, 40.671, 4],
	["Bay Ridge", -74.0301, 40.6262, 4],
	["Coney Island", -73.9857, 40.5755, 4],
	["Canarsie", -73.9019, 40.6402, 4],
	["East New York", -73.8822, 40.6591, 4],
	["Sunset Park", -74.0124, 40.6455, 4],
	["Riverdale", -73.9056, 40.8901, 4],
	["Fordham", -73.8985, 40.8593, 4],
	["Hunts Point", -73.8841, 40.8128, 4],
	["Throgs Neck", -73.8196, 40.8216, 4],
	["Tottenville", -74.2439, 40.5112, 4],
	["St. George", -74.0757, 40.6437, 4],
	["New Springville", -74.1634, 40.5934, 4],
	["Stamford", -73.5387, 41.0534, 3],
	["Bridgeport", -73.1952, 41.1792, 3],
	["Evanston", -87.69, 42.045, 3],
	["Milwaukee", -87.9065, 43.0389, 2],
];

const inRegion = ([x, y]) => REGIONS.some(([w, s, e, n]) => x >= w && x <= e && y >= s && y <= n);

/* Keeps of each arc its ends, what bends enough, and everything in a region. */
function simplified(topology, weight, keep) {
	const t = presimplify(topology);
	t.arcs = t.arcs.map((arc) =>
		arc.filter((p, i) => i === 0 || i === arc.length - 1 || p[2] >= weight || keep(p)).map(([x, y]) => [x, y]),
	);
	return t;
}

/* Arcs that no object names any more are dropped, the others renumbered. */
function prune(t) {
	const number = new Map();
	const renumber = (a) => {
		if (Array.isArray(a)) return a.map(renumber);
		const i = a < 0 ? ~a : a;
		if (!number.has(i)) number.set(i, number.size);
		const j = number.get(i);
		return a < 0 ? ~j : j;
	};
	for (const o of Object.values(t.objects)) for (const g of o.geometries) if (g.arcs) g.arcs = renumber(g.arcs);
	const arcs = new Array(number.size);
	for (const [old, now] of number) arcs[now] = t.arcs[old];
	return { ...t, arcs };
}

/* what people call the counties of New York */
const CALLED = { 36047: "Brooklyn", 36061: "Manhattan", 36085: "Staten Island", 36005: "The Bronx" };
const slim = (g) => ({ type: g.type, arcs: g.arcs, properties: { name: CALLED[g.id] ?? g.properties.name }, id: g.id });

function box(t, g) {
	const b = [180, 90, -180, -90];
	const walk = (a) => {
		if (Array.isArray(a)) return a.forEach(walk);
		for (const [x, y] of t.arcs[a < 0 ? ~a : a]) {
			b[0] = Math.min(b[0], x);
			b[1] = Math.min(b[1], y);
			b[2] = Math.max(b[2], x);
			b[3] = Math.max(b[3], y);
		}
	};
	walk(g.arcs ?? []);
	return b;
}

function world() {
	const t = simplified(load("world-atlas/countries-50m.json"), WORLD_WEIGHT, () => false);
	const countries = { type: "GeometryCollection", geometries: t.objects.countries.geometries.filter((g) => g.arcs).map(slim) };
	return quantize(prune({ ...t, objects: { countries } }), 2e4);
}

function unitedStates() {
	const t = simplified(load("us-atlas/counties-10m.json"), US_WEIGHT, inRegion);
	const near = (g) => {
		const [w, s, e, n] = box(t, g);
		return REGIONS.some((r) => w <= r[2] && e >= r[0] && s <= r[3] && n >= r[1]);
	};
	const states = { type: "GeometryCollection", geometries: t.objects.states.geometries.filter((g) => g.arcs).map(slim) };
	const counties = { type: "GeometryCollection", geometries: t.objects.counties.geometries.filter((g) => g.arcs && near(g)).map(slim) };
	return quantize(prune({ ...t, objects: { states, counties } }), 1e6);
}

/* Text of a CSV as rows of cells. */
function* csv(text) {
	let row = [],
		cell = "",
		quoted = false;
	for (let i = 0; i < text.length; i++) {
		const c = text[i];
		if (quoted) {
			if (c !== '"') cell += c;
			else if (text[i + 1] === '"') ((cell += c), i++);
			else quoted = false;
		} else if (c === '"') quoted = true;
		else if (c === "," || c === "\n") {
			row.push(cell.replace(/\r$/, ""));
			cell = "";
			if (c === "\n") {
				yield row;
				row = [];
			}
		} else cell += c;
	}
}

/* Neighbourhoods: what the column City says, at the median of its rows' coordinates. */
function neighbourhoods(dir) {
	const seen = new Map();
	for (const file of readdirSync(dir)
		.filter((f) => f.endsWith(".csv"))
		.sort()) {
		let head = null;
		for (const row of csv(readFileSync(`${dir}/${file}`, "utf8"))) {
			if (!head) {
				head = row.map((h) => h.toLowerCase());
				continue;
			}
			const name = row[head.indexOf("city")],
				lon = +row[head.lastIndexOf("longitude")],
				lat = +row[head.lastIndexOf("latitude")];
			if (!name || !lon || !lat) continue;
			const key = name
				.trim()
				.toLowerCase()
				.replace(/(^|[\s-])\p{L}/gu, (m) => m.toUpperCase());
			if (!seen.has(key)) seen.set(key, []);
			seen.get(key).push([lon, lat]);
		}
	}
	const middle = (list) => list.sort((a, b) => a - b)[list.length >> 1];
	const boroughs = new Set(["New York", "Brooklyn", "Bronx", "Staten Island", "Queens", "Manhattan"]);
	return [...seen]
		.filter(([name, at]) => at.length >= 5 && !boroughs.has(name))
		.map(([name, at]) => [
			name,
			+middle(at.map((p) => p[0])).toFixed(4),
			+middle(at.map((p) => p[1])).toFixed(4),
			at.length > 40 ? 3 : 4,
		])
		.sort((a, b) => a[3] - b[3] || (a[0] < b[0] ? -1 : 1));
}

export function baseLayer(demoDir) {
	return { world: world(), us: unitedStates(), places: [...CITIES, ...neighbourhoods(demoDir)] };
}
