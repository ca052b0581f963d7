import { defineConfig } from 'vite';

export default defineConfig({
  // Addresses relative to the page: the load balancer serves it under a path of its choice.
  base: './',
  build: { target: 'es2022', assetsInlineLimit: 0 },
});
