import OmniAPI

/// What the gateway asks a worker for: `POST /internal/videos`, answered by a line of JSON for each ``VideoTaskEvent``.
public struct VideoTask: WireObject {
    public static let path = "/internal/videos"
    /// The name of the picture to start from, in the job's folder.
    public static let pictureFile = "picture"
    /// The name of the finished latents there, kept until the clip is there.
    public static let latentsFile = "latents"

    public var id = ""
    /// Part of the names of files, so that an attempt that was given up cannot touch those of the next.
    public var attempt = 1
    /// The job's folder. The worker finds the picture to start from there, and the latents of an earlier attempt.
    public var folder = ""
    public var request = VideoGenerationRequest()
    public var seed = 0
    public var hasPicture = false
    /// The files of this attempt may not pass this.
    public var mostBytes: Int?

    public init() {}

    public static var fields: [Field<VideoTask>] {
        [
            .required("id", \.id, .string), .required("attempt", \.attempt, .integer()), .required("folder", \.folder, .string),
            .required("request", \.request, .object()), .required("seed", \.seed, .integer()),
            .with(default: false, "has_picture", \.hasPicture, .bool), .optional("most_bytes", \.mostBytes, .integer()),
        ]
    }
}

/// A line of a worker's answer. The last one is `done` or `failed`; an answer without either means that the worker died.
public enum VideoTaskEvent: Sendable, Equatable {
    /// `step` of `steps` of a stage are done.
    case progress(VideoTaskStage, step: Int, steps: Int)
    /// The files are in the folder, and on the disk.
    case done(VideoTaskResult)
    case failed(VideoJobError)

    public var json: JSONValue {
        switch self {
        case .progress(let stage, let step, let steps): ["stage": .string(stage.rawValue), "step": .int(step), "steps": .int(steps)]
        case .done(let result): ["done": result.json]
        case .failed(let error): ["failed": error.json]
        }
    }

    /// Nil for a line that says nothing known.
    public init?(json: JSONValue) throws {
        if let result = json["done"] {
            self = .done(try VideoTaskResult(json: result))
        } else if let error = json["failed"] {
            self = .failed(try VideoJobError(json: error))
        } else if let stage = json["stage"]?.stringValue.flatMap(VideoTaskStage.init), let step = json["step"]?.intValue,
            let steps = json["steps"]?.intValue
        {
            self = .progress(stage, step: step, steps: steps)
        } else {
            return nil
        }
    }
}

/// The stages of a job, in order. `queued` comes before them.
public enum VideoTaskStage: String, Sendable, CaseIterable {
    case load, encode, denoise, decode, mux

    /// Share of the whole, percent; together 100.
    public var weight: Double {
        switch self {
        case .load, .encode, .mux: 4
        case .denoise: 74
        case .decode: 14
        }
    }
}
