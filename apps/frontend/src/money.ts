// Amounts come as decimal strings; they are counted in cents, for 0.1 + 0.2 is not 0.3.

/** "34.90", 3 → "104.70" */
export function times(price: string, quantity: number): string {
  const cents = BigInt(Math.round(Number(price) * 100)) * BigInt(quantity);
  return `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`;
}

/** "104.70", "EUR" → "€104.70" */
export const shown = (amount: string, currency: string): string =>
  new Intl.NumberFormat('en', { style: 'currency', currency }).format(Number(amount));
