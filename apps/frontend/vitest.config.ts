import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    environment: 'happy-dom',
    include: ['tests/*.test.ts'],
    coverage: { include: ['src/**'], exclude: ['src/style.css'], thresholds: { lines: 80, branches: 80, functions: 80, statements: 80 } },
  },
});
