/* Entry of the console. */
import { render } from "preact";
import { Shell } from "../ui/shell.tsx";
render(<Shell title="Console" nav={[]}>x</Shell>, document.getElementById("app")!);
