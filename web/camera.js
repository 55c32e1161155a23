// A frame of the camera. What it sees stays in the page.

const SIDE = 1280; // Pixels asked for; a camera gives what it has.
/** @type {Record<string, string>} */
const REASONS = {
  NotAllowedError: "The camera may not be used: allow it for this page in the browser's settings, or choose a photo.",
  NotFoundError: "No camera was found: connect one, or choose a photo.",
  NotReadableError: "The camera gives no picture: close other programs that use it, or choose a photo.",
};

/** What the camera sees, shown in place of the photo until a frame is taken. */
export class Camera {
  /** @param {HTMLElement} preview with a video in it @param {HTMLElement} photo */
  constructor(preview, photo) {
    this.preview = preview;
    this.photo = photo;
    this.video = /** @type {HTMLVideoElement} */ (preview.querySelector("video"));
  }

  /** Shows what it sees; an error says in words for everybody why it can't. */
  async start() {
    this.stop();
    if (!navigator.mediaDevices) throw new Error("Browsers give pages the camera over https alone: choose a photo.");
    try {
      this.video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: SIDE } } });
      this.preview.hidden = false;
      this.photo.hidden = true;
      await this.video.play();
    } catch (error) {
      this.stop();
      const { name, message } = /** @type {Error} */ (error);
      throw new Error(REASONS[name] ?? `The camera can't be used (${message}): choose a photo.`);
    }
    /** @type {HTMLElement} */ (this.preview.querySelector("button")).focus();
  }

  /** Its picture now, without loss. @returns {Promise<Blob>} */
  async frame() {
    const { videoWidth, videoHeight } = this.video;
    const drawn = new OffscreenCanvas(videoWidth, videoHeight);
    /** @type {OffscreenCanvasRenderingContext2D} */ (drawn.getContext("2d")).drawImage(this.video, 0, 0);
    return drawn.convertToBlob();
  }

  /** Lets the camera go, so that its light goes out, and shows the photo again. */
  stop() {
    const stream = /** @type {MediaStream | null} */ (this.video.srcObject);
    for (const track of stream?.getTracks() ?? []) track.stop();
    this.video.srcObject = null;
    this.preview.hidden = true;
    this.photo.hidden = false;
  }
}
