// A mask, painted over a picture with a pointer or with keys. What is painted shall be drawn anew.
import { announce, el, fill, show } from './dom.js';

export class MaskCanvas {
  /** @param {HTMLElement} place where it stands. @param {HTMLInputElement} brush its size in pixels of the page. @param {() => void} onChange */
  constructor(place, brush, onChange) {
    this.onChange = onChange;
    this.place = place;
    this.brush = brush;
    this.strokes = [];
    this.cursor = null;
  }

  /** Shows a picture (a blob) to paint over. Resolves with its size. */
  async show(file) {
    this.strokes = [];
    const image = el('img', { alt: 'The picture to change' });
    show(image, file);
    await image.decode();
    const canvas = el('canvas', { width: image.naturalWidth, height: image.naturalHeight, tabIndex: 0, role: 'application', 'aria-label': 'Mask: paint what should change', 'aria-describedby': 'paint-help' });
    this.canvas = canvas;
    fill(this.place, image, canvas);
    this.onChange();
    let stroke = null;
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width * canvas.width, (event.clientY - box.top) / box.height * canvas.height];
    };
    canvas.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.strokes.push(stroke = { width: this.width, points: [point(event)] });
      this.draw();
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!stroke) return;
      stroke.points.push(...event.getCoalescedEvents().map(point), point(event));
      this.draw();
    });
    for (const name of ['pointerup', 'pointercancel']) canvas.addEventListener(name, () => { stroke = null; this.onChange(); });
    canvas.addEventListener('keydown', (event) => this.key(event));
    canvas.addEventListener('blur', () => { this.cursor = null; this.draw(); });
    return { width: image.naturalWidth, height: image.naturalHeight };
  }

  /** The brush in pixels of the picture. */
  get width() {
    return Number(this.brush.value) * this.canvas.width / Math.max(1, this.canvas.getBoundingClientRect().width);
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const { canvas } = this;
    this.cursor ??= [canvas.width / 2, canvas.height / 2];
    if (steps[event.key]) {
      const length = this.width / 2;
      this.cursor = this.cursor.map((value, axis) => Math.max(0, Math.min([canvas.width, canvas.height][axis], value + steps[event.key][axis] * length)));
      if (event.shiftKey) this.strokes.push({ width: this.width, points: [this.cursor] });
    } else if (event.key === ' ' || event.key === 'Enter') {
      this.strokes.push({ width: this.width, points: [this.cursor] });
      announce('Painted');
    } else if (event.key === 'Backspace') this.undo();
    else return;
    event.preventDefault();
    this.draw();
    this.onChange();
  }

  undo() { this.strokes.pop(); this.draw(); this.onChange(); }
  clear() { this.strokes = []; this.draw(); this.onChange(); }
  remove() { this.strokes = []; this.canvas = null; fill(this.place); this.onChange(); }

  get isPainted() { return this.strokes.length > 0; }

  draw() {
    if (!this.canvas) return;
    const context = this.canvas.getContext('2d');
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.paint(context, '#0f9d8f');
    if (!this.cursor) return;
    context.strokeStyle = '#ffffff';
    context.lineWidth = Math.max(1, this.width / 12);
    context.beginPath();
    context.arc(...this.cursor, this.width / 2, 0, Math.PI * 2);
    context.stroke();
  }

  paint(context, colour) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineCap = context.lineJoin = 'round';
    for (const { width, points } of this.strokes) {
      context.lineWidth = width;
      context.beginPath();
      if (points.length === 1) {
        context.arc(...points[0], width / 2, 0, Math.PI * 2);
        context.fill();
        continue;
      }
      points.forEach((point, index) => (index ? context.lineTo(...point) : context.moveTo(...point)));
      context.stroke();
    }
  }

  /** Transparent where it is painted, as OpenAI's clients send a mask. */
  async file() {
    const canvas = el('canvas', { width: this.canvas.width, height: this.canvas.height });
    const context = canvas.getContext('2d');
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.globalCompositeOperation = 'destination-out';
    this.paint(context, '#ffffff');
    return new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
  }
}
