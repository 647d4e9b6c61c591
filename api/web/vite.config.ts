/// <reference types="vitest/config" />
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

declare const process: { env: Record<string, string | undefined> };

// A running `tyndau serve`; `npm run dev` sends everything but the pages there.
const server = process.env.TYNDAU_URL ?? 'http://127.0.0.1:8420';

// Two applications from the same parts: the pages of the data centre, and the console that the
// courtroom's own agent serves (`vite build --mode console`).
export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  build: {
    outDir:
      process.env.TYNDAU_WEB_OUT ?? (mode === 'console' ? '../../recorder/console/static' : '../static'),
    emptyOutDir: true,
    rolldownOptions: { input: mode === 'console' ? 'console.html' : 'index.html' },
    // Windows 7 and 8 courtroom machines stay at Chrome 109.
    target: ['chrome109', 'firefox115', 'safari16.4'],
    // The content security policy allows no data: addresses and no inline scripts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    // hls.js is one large chunk of its own, fetched only by the player.
    chunkSizeWarningLimit: 650,
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': server, '/healthz': server },
  },
  test: {
    include: ['tests/**/*.test.ts'],
    environment: 'node',
  },
}));
