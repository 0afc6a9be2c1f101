/* The texts of the viewer's language. */
import { computed, effect } from "@preact/signals";
import { lang } from "../lib/prefs.ts";
import { en, type Dictionary } from "./en.ts";
import { fr } from "./fr.ts";

export const texts = computed<Dictionary>(() => (lang.value === "fr" ? fr : en));
/* read inside a component or a computed: it renders again when the language changes */
export const t = (): Dictionary => texts.value;

effect(() => {
	document.documentElement.lang = lang.value;
});
