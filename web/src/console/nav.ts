/* The rooms of the console, in the order of the header; also for the build (shell.mjs). */
export const ROOMS = [
	{ href: "/", name: "home", icon: "home", key: "h" },
	{ href: "/topics", name: "topics", icon: "topic", key: "t" },
	{ href: "/groups", name: "groups", icon: "group", key: "g" },
	{ href: "/connectors", name: "connectors", icon: "plug", key: "c" },
	{ href: "/jobs", name: "jobs", icon: "job", key: "j" },
] as const;
