// Turn a picture into the image that a model takes, value by value as `pipeline/predict/images.py` does with Pillow.
// An image is { height, width, channels, pixels }, its pixels in rows.

// Python rounds a half to the even neighbour.
function roundEven(number) {
  const rounded = Math.round(number);
  return number % 1 === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

// The outermost pixels, each once: a list of values for each channel.
function border({ height, width, channels, pixels }) {
  const values = Array.from({ length: channels }, () => []);
  for (let row = 0; row < height; row++) {
    const step = row === 0 || row === height - 1 ? 1 : Math.max(1, width - 1);
    for (let column = 0; column < width; column += step) {
      for (let channel = 0; channel < channels; channel++) {
        values[channel].push(pixels[(row * width + column) * channels + channel]);
      }
    }
  }
  return values;
}

function median(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Draw red, green, blue and opacity, as canvases hold them, on a ground of one grey.
function blend(rgba, ground) {
  const colours = new Uint8Array((rgba.length / 4) * 3);
  for (let pixel = 0; 4 * pixel < rgba.length; pixel++) {
    const opacity = rgba[4 * pixel + 3];
    for (let channel = 0; channel < 3; channel++) {
      const sum = (rgba[4 * pixel + channel] * opacity + ground * (255 - opacity) + 128) * 128;
      colours[3 * pixel + channel] = ((sum >> 8) + sum) >> 15; // the 128th part of 255
    }
  }
  return colours;
}

// The largest difference of two values of one channel.
function range(colours) {
  const low = [255, 255, 255];
  const high = [0, 0, 0];
  for (let place = 0; place < colours.length; place++) {
    if (colours[place] < low[place % 3]) low[place % 3] = colours[place];
    if (colours[place] > high[place % 3]) high[place % 3] = colours[place];
  }
  return Math.max(...high.map((value, channel) => value - low[channel]));
}

// An opaque image in grey or in colour. Transparent pixels become white, or black where the drawing could not be seen
// on white.
function flatten(rgba, height, width, settings) {
  const { channels, faint } = settings;
  let colours = blend(rgba, 255);
  if (range(colours) < faint) {
    const onBlack = blend(rgba, 0);
    if (range(onBlack) >= faint) colours = onBlack;
  }
  if (channels === 3) return { height, width, channels, pixels: colours };
  const pixels = new Uint8Array(height * width);
  for (let pixel = 0; pixel < pixels.length; pixel++) {
    const at = 3 * pixel; // the luma of ITU-R 601
    pixels[pixel] = (19595 * colours[at] + 38470 * colours[at + 1] + 7471 * colours[at + 2] + 0x8000) >> 16;
  }
  return { height, width, channels, pixels };
}

// Kernels to resample with, each with the distance at which it ends.
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const LANCZOS = { end: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) };
const BICUBIC = {
  end: 2,
  at(signed) {
    const x = Math.abs(signed);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((x - 5) * x + 8) * x * -0.5 + 2 : 0;
  },
};

const FIXED = 2 ** 22; // Pillow's weights are whole numbers of this fraction

// For each new pixel of a line: the first old one that it takes from, and the weights of that and the following.
function weights(length, size, kernel) {
  const scale = length / size;
  const stretch = Math.max(scale, 1);
  return Array.from({ length: size }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - kernel.end * stretch + 0.5));
    const last = Math.min(length, Math.trunc(centre + kernel.end * stretch + 0.5));
    const values = Array.from({ length: last - first }, (_, step) => kernel.at((first + step - centre + 0.5) / stretch));
    const sum = values.reduce((total, value) => total + value, 0);
    return { first, values: values.map((value) => Math.trunc((value / sum) * FIXED + Math.sign(value / sum) * 0.5)) };
  });
}

// Resample first along rows, then along columns, and round after each.
function resize(image, height, width, kernel) {
  const { channels } = image;
  const pass = (pixels, lines, length, size, index) => {
    const made = new Uint8ClampedArray(lines * size * channels);
    weights(length, size, kernel).forEach(({ first, values }, place) => {
      for (let line = 0; line < lines; line++) {
        for (let channel = 0; channel < channels; channel++) {
          let sum = FIXED / 2;
          values.forEach((weight, step) => (sum += weight * pixels[index(line, first + step, length) + channel]));
          made[index(line, place, size) + channel] = Math.floor(sum / FIXED);
        }
      }
    });
    return made;
  };
  const narrow = pass(image.pixels, image.height, image.width, width, (row, column, count) => (row * count + column) * channels);
  const pixels = pass(narrow, width, image.height, height, (column, row) => (row * width + column) * channels);
  return { height, width, channels, pixels: Uint8Array.from(pixels) };
}

// The smallest rectangle outside of which all pixels are as the border; everything if nothing differs.
function contentBox(image, tolerance) {
  const { height, width, channels, pixels } = image;
  const ground = border(image).map(median);
  let [top, left, bottom, right] = [height, width, 0, 0];
  pixels.forEach((value, place) => {
    if (Math.abs(value - ground[place % channels]) <= tolerance) return;
    const pixel = Math.floor(place / channels);
    const row = Math.floor(pixel / width);
    const column = pixel % width;
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row + 1)];
    [left, right] = [Math.min(left, column), Math.max(right, column + 1)];
  });
  return bottom ? { top, left, bottom, right } : { top: 0, left: 0, bottom: height, right: width };
}

function crop({ width, channels, pixels }, { top, left, bottom, right }) {
  const made = { height: bottom - top, width: right - left, channels };
  made.pixels = new Uint8Array(made.height * made.width * channels);
  for (let row = 0; row < made.height; row++) {
    const start = ((top + row) * width + left) * channels;
    made.pixels.set(pixels.subarray(start, start + made.width * channels), row * made.width * channels);
  }
  return made;
}

// Put an image into a frame filled with one value a channel.
function place(image, { height, width, top, left, ground }) {
  const { channels } = image;
  const pixels = Uint8Array.from({ length: height * width * channels }, (_, at) => ground[at % channels]);
  for (let row = 0; row < image.height; row++) {
    const line = image.pixels.subarray(row * image.width * channels, (row + 1) * image.width * channels);
    pixels.set(line, ((top + row) * width + left) * channels);
  }
  return { height, width, channels, pixels };
}

const scaled = (image, scale) => [image.height, image.width].map((side) => Math.max(1, roundEven(side * scale)));

// Crop to the content, and centre it so that its longer side fills `extent` of the frame.
function fitContent(image, settings) {
  const content = crop(image, contentBox(image, settings.tolerance));
  const scale = settings.extent * Math.min(settings.height / content.height, settings.width / content.width);
  const resized = resize(content, ...scaled(content, scale), BICUBIC);
  const top = Math.floor((settings.height - resized.height) / 2);
  const left = Math.floor((settings.width - resized.width) / 2);
  return place(resized, { ...settings, top, left, ground: border(image).map(median) });
}

// Keep all of the picture, in its proportions.
function fitAll(image, settings) {
  const scale = Math.min(settings.height / image.height, settings.width / image.width);
  const resized = resize(image, ...scaled(image, scale), LANCZOS);
  const top = roundEven((settings.height - resized.height) / 2);
  const left = roundEven((settings.width - resized.width) / 2);
  return place(resized, { ...settings, top, left, ground: border(resized).map(median) });
}

const inverse = (pixels) => pixels.map((value) => 255 - value);

// The image that the model takes, and what was done: whether it was fitted and inverted, and the grey of its border.
function prepare(image, settings) {
  const fitted = image.height !== settings.height || image.width !== settings.width;
  if (fitted) image = settings.extent === null ? fitAll(image, settings) : fitContent(image, settings);
  const grey = mean(border(image).flat());
  const background = grey > 127.5 ? "light" : "dark";
  const inverted = settings.background !== null && settings.background !== background;
  const unclear = settings.background !== null && settings.middle[0] < grey && grey < settings.middle[1];
  return { pixels: inverted ? inverse(image.pixels) : image.pixels, fitted, inverted, background, grey, unclear };
}

// Draw a stroke's next piece, with an edge of half a pixel. `coverage` keeps how much of each pixel the stroke covers,
// so that pieces that overlap do not add up.
function stroke(coverage, { height, width }, from, to, radius) {
  const [x, y] = [to.x - from.x, to.y - from.y];
  const length = x * x + y * y;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [right, down] = [column + 0.5 - from.x, row + 0.5 - from.y];
      const along = length ? Math.min(1, Math.max(0, (right * x + down * y) / length)) : 0;
      const distance = Math.hypot(right - along * x, down - along * y);
      const covered = Math.min(1, Math.max(0, radius + 0.5 - distance));
      coverage[row * width + column] = Math.max(coverage[row * width + column], covered);
    }
  }
}
