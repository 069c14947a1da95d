import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The build goes where go:embed can reach it. public/.gitkeep travels with it, so that the
// folder exists in a fresh clone and the binary compiles before npm has ever run.
export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../internal/console/dist",
    emptyOutDir: true,
    // Nothing inline: the content security policy allows neither data: scripts nor inline styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  worker: { format: "es" },
  server: { proxy: { "/api": "http://127.0.0.1:8080" } },
});
