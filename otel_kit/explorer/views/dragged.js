// A drag across the chart before this element zooms it in the browser; Streamlit does not tell.
// So the axis is read when the pointer is let go of, and the server draws that window in detail.
export default function ({ data, setTriggerValue }) {
  const chart = () => document.querySelector(`.st-key-${data.chart} .js-plotly-plot`);
  const within = (event) => chart()?.contains(event.target);
  let pressed = null;
  const down = (event) => {
    pressed = within(event) ? chart().layout.xaxis.range.map(Number) : null;
  };
  const up = () => {
    const before = pressed;
    pressed = null;
    if (before) setTimeout(() => {
      const range = chart()?.layout.xaxis.range.map(Number);
      if (range && range.some((edge, at) => edge !== before[at])) setTriggerValue("range", range);
    }, 50);
  };
  const twice = (event) => {
    if (within(event)) setTriggerValue("range", []);
  };
  const listeners = { pointerdown: down, pointerup: up, dblclick: twice };
  for (const [name, listener] of Object.entries(listeners)) {
    document.addEventListener(name, listener, true);
  }
  return () => {
    for (const [name, listener] of Object.entries(listeners)) {
      document.removeEventListener(name, listener, true);
    }
  };
}
