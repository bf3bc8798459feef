import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

export default defineConfig({
  base: "/static/graphiql/",
  build: {
    outDir: fileURLToPath(new URL("../static/graphiql", import.meta.url)),
    emptyOutDir: true,
    chunkSizeWarningLimit: 6000,
    reportCompressedSize: false,
  },
  logLevel: "error",
});
