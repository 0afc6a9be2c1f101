/* Before the first paint: the theme that was chosen, so that nothing flashes, and the language for the page's own sake. */
try {
	const theme = localStorage.getItem("walmill.theme");
	if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
	document.documentElement.lang = localStorage.getItem("walmill.lang") || (/^fr\b/i.test(navigator.language) ? "fr" : "en");
} catch {
	/* no storage: the browser's own preference holds */
}
