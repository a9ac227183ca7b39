// A drag across the chart zooms it in the browser, of which Streamlit does not tell the server.
// So the axis is read when the pointer is let go of, and the server draws that window in detail.
const TWICE_MS = 400;

export default function ({ data, setTriggerValue }) {
  const chart = () => document.querySelector(`.st-key-${data.chart} .js-plotly-plot`);
  const range = () => chart()?.layout.xaxis.range.map(Number);
  let pressed = null;
  let clicked = -Infinity;

  const down = (event) => {
    pressed = chart()?.contains(event.target) ? range() : null;
  };
  const moved = (before) => {
    const now = range();
    if (now && now.some((edge, at) => edge !== before[at])) setTriggerValue("range", now);
  };
  // While the button is down Plotly lays a cover over the page: there is never a dblclick event.
  const up = (event) => {
    if (!pressed) return;
    const before = pressed;
    pressed = null;
    if (event.timeStamp - clicked < TWICE_MS) setTriggerValue("range", []);
    else setTimeout(() => moved(before), 50);
    clicked = event.timeStamp;
  };

  document.addEventListener("pointerdown", down, true);
  document.addEventListener("pointerup", up, true);
  return () => {
    document.removeEventListener("pointerdown", down, true);
    document.removeEventListener("pointerup", up, true);
  };
}
