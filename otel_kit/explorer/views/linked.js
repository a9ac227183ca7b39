export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector("main");
  if (root.dataset.shown !== data.html) {
    root.innerHTML = data.html;
    root.dataset.shown = data.html;
  }
  root.onclick = (event) => {
    const link = event.target.closest("a[href]");
    const asked = event.ctrlKey || event.metaKey || event.shiftKey || event.button;
    if (!link || link.target || asked) return;
    event.preventDefault();
    setTriggerValue("address", link.getAttribute("href"));
  };
}
