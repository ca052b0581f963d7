// Elements made of data: text stays text, whatever is in it.

type Value = string | number | boolean | ((event: Event) => void);
type Child = Node | string | false;

/** An element. Functions become listeners, true an empty attribute, false none. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== false));
  return element;
}

/** The heading of a view; it takes the focus, so that readers and keyboards begin there. */
export const heading = (text: string): HTMLHeadingElement => h('h1', { tabindex: -1 }, text);

/** Says something to those who don't see the page. */
export function say(text: string): void {
  document.getElementById('status')!.textContent = text;
}

/** A box that tells what went wrong, with a way to try again where there is one. */
export const problem = (message: string, again?: () => void): HTMLElement =>
  h(
    'div',
    { class: 'problem', role: 'alert' },
    h('p', {}, message),
    !!again && h('button', { type: 'button', class: 'quiet', click: again }, 'Try again'),
  );
