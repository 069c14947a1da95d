import { chromium } from "../chromium.mjs";

export default chromium({ timeout: 60_000, expect: 12_000 });
