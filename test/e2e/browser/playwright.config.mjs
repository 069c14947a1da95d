import { chromium } from "../chromium.mjs";
import { fakeMicrophone } from "./tone.mjs";

export default chromium({
  timeout: 180_000,
  expect: 20_000,
  use: { colorScheme: "light" },
  args: [`--use-file-for-fake-audio-capture=${fakeMicrophone()}`],
});
