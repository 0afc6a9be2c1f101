/*
 * One canvas in a pane of the map, somewhat larger than the view so that panning shows no edge, drawn again when the view or the data
 * change and scaled by CSS while a zoom runs. What is drawn is a function of the canvas, the map and the origin.
 */
import L from "leaflet";

export type Painter = (
	c: CanvasRenderingContext2D,
	project: (lat: number, lng: number) => [number, number],
	size: { w: number; h: number },
	map: L.Map,
) => void;
const MARGIN = 0.25;

export class CanvasLayer extends L.Layer {
	private canvas!: HTMLCanvasElement;
	private frame = 0;
	private corner = L.point(0, 0);
	private centre = L.latLng(0, 0);
	private zoom = 0;

	constructor(
		private painter: Painter,
		private paneName: string,
		private z: number,
	) {
		super();
	}

	override onAdd(map: L.Map): this {
		const pane = map.getPane(this.paneName) ?? map.createPane(this.paneName);
		pane.style.zIndex = String(this.z);
		pane.style.pointerEvents = "none";
		this.canvas = L.DomUtil.create("canvas", "leaflet-zoom-animated", pane);
		map.on("moveend resize viewreset", this.paint, this);
		map.on("zoomanim", this.animate, this);
		this.paint();
		return this;
	}

	override onRemove(map: L.Map): this {
		cancelAnimationFrame(this.frame);
		map.off("moveend resize viewreset", this.paint, this);
		map.off("zoomanim", this.animate, this);
		this.canvas.remove();
		return this;
	}

	/* draws in the next frame */
	redraw(): void {
		if (!this.frame) this.frame = requestAnimationFrame(() => this.paint());
	}

	private paint(): void {
		cancelAnimationFrame(this.frame);
		this.frame = 0;
		const map = this._map;
		if (!map) return;
		const size = map.getSize(),
			ratio = Math.min(2, devicePixelRatio || 1);
		const w = Math.round(size.x * (1 + 2 * MARGIN)),
			h = Math.round(size.y * (1 + 2 * MARGIN));
		this.corner = map.containerPointToLayerPoint([-size.x * MARGIN, -size.y * MARGIN]).round();
		this.centre = map.getCenter();
		this.zoom = map.getZoom();
		if (this.canvas.width !== w * ratio || this.canvas.height !== h * ratio) {
			this.canvas.width = w * ratio;
			this.canvas.height = h * ratio;
			this.canvas.style.width = `${w}px`;
			this.canvas.style.height = `${h}px`;
		}
		L.DomUtil.setTransform(this.canvas, this.corner, 1);
		const c = this.canvas.getContext("2d");
		if (!c) return;
		c.setTransform(ratio, 0, 0, ratio, 0, 0);
		c.clearRect(0, 0, w, h);
		/* web mercator by hand: ten thousand points through Leaflet's objects would cost more than drawing them */
		const scale = 256 * 2 ** this.zoom,
			origin = map.getPixelOrigin();
		const ox = origin.x + this.corner.x,
			oy = origin.y + this.corner.y;
		const project = (lat: number, lng: number): [number, number] => {
			const s = Math.sin((Math.max(-85.05, Math.min(85.05, lat)) * Math.PI) / 180);
			return [((lng + 180) / 360) * scale - ox, (0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI)) * scale - oy];
		};
		this.painter(c, project, { w, h }, map);
	}

	private animate(e: L.LeafletEvent): void {
		const { center, zoom } = e as L.ZoomAnimEvent,
			map = this._map;
		const scale = map.getZoomScale(zoom, this.zoom);
		const half = map.getSize().multiplyBy(0.5 + MARGIN),
			now = map.project(this.centre, zoom);
		const offset = half
			.multiplyBy(-scale)
			.add(now)
			.subtract(map.project(center, zoom).subtract(map.getSize().multiplyBy(0.5)).round());
		L.DomUtil.setTransform(this.canvas, map.containerPointToLayerPoint(L.point(0, 0)).add(offset), scale);
	}
}
