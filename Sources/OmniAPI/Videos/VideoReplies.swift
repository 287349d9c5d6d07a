/// The reply to `GET /v1/videos`.
public struct VideoJobList: WireObject, Equatable {
    public var firstID: String?
    public var lastID: String?
    public var hasMore = false
    public var data: [VideoJob] = []

    public init() {}

    public init(_ jobs: [VideoJob], hasMore: Bool) {
        (firstID, lastID) = (jobs.first?.id, jobs.last?.id)
        self.hasMore = hasMore
        data = jobs
    }

    public static var fields: [Field<VideoJobList>] {
        [
            .always("first_id", \.firstID, .string), .always("last_id", \.lastID, .string), .required("has_more", \.hasMore, .bool),
            .required("data", \.data, .list(of: .object())), .constant("object", "list"),
        ]
    }
}

/// The query of `GET /v1/videos`.
public struct VideoListQuery: WireObject, Equatable {
    public enum Order: String, CaseIterable, Sendable { case asc, desc }

    /// The id after which the page begins.
    public var after: String?
    /// Jobs of a page; nil is all there are.
    public var limit: Int?
    public var order = Order.desc

    public init() {}

    public static var fields: [Field<VideoListQuery>] {
        [
            .optional("after", \.after, .string, "The last id of the page before."),
            .optional("limit", \.limit, .integer(0...100), "Jobs of a page; all when absent."),
            .with(default: .desc, "order", \.order, .choice, "By time of creation, the newest first."),
        ]
    }
}

/// The reply to `DELETE /v1/videos/{id}`.
public struct VideoDeleted: WireObject, Equatable {
    public var id = ""
    public var isDeleted = true

    public init() {}
    public init(id: String) { self.id = id }

    public static var fields: [Field<VideoDeleted>] {
        [.required("id", \.id, .string), .required("deleted", \.isDeleted, .bool), .constant("object", "video.deleted")]
    }
}

/// Which file of a finished job.
public enum VideoVariant: String, CaseIterable, Sendable {
    case video, thumbnail

    public var contentType: String { self == .video ? "video/mp4" : "image/jpeg" }
    public var fileExtension: String { self == .video ? "mp4" : "jpg" }
}

/// One event of `GET /v1/videos/{id}/events`. The stream begins with the job as it is, tells each change, and ends with the
/// job's end or its deletion.
public enum VideoJobEvent: Sendable, Equatable {
    /// Named after the status: `video.queued`, `video.in_progress`, `video.completed`, `video.failed`.
    case job(VideoJob)
    /// `video.deleted`.
    case deleted(VideoDeleted)

    public var name: String {
        switch self {
        case .job(let job): "video.\(job.status.rawValue)"
        case .deleted: "video.deleted"
        }
    }

    public var json: JSONValue {
        switch self {
        case .job(let job): job.json
        case .deleted(let deleted): deleted.json
        }
    }

    /// Whether no further event comes.
    public var isLast: Bool {
        switch self {
        case .job(let job): job.status.isOver
        case .deleted: true
        }
    }

    /// An event as it came over the wire; nil for a name that is not known.
    public init?(name: String, json: JSONValue) throws {
        guard name.hasPrefix("video.") else { return nil }
        if name == "video.deleted" {
            self = .deleted(try VideoDeleted(json: json))
        } else if VideoStatus(rawValue: String(name.dropFirst("video.".count))) != nil {
            self = .job(try VideoJob(json: json))
        } else {
            return nil
        }
    }
}

/// What a `webhook_url` is sent, in the form of OpenAI's webhooks.
public struct VideoWebhookEvent: WireObject, Equatable {
    /// The same in each attempt to deliver it.
    public var id = ""
    public var createdAt = 0
    /// `video.completed` or `video.failed`.
    public var type = ""
    public var job = VideoJob()

    public init() {}

    public init(job: VideoJob, createdAt: Int) {
        id = "evt_\(job.id)"
        self.createdAt = createdAt
        type = VideoJobEvent.job(job).name
        self.job = job
    }

    public static var fields: [Field<VideoWebhookEvent>] {
        [
            .required("id", \.id, .string), .constant("object", "event"), .required("created_at", \.createdAt, .integer()),
            .required("type", \.type, .string),
            .required("data", \.job, .object()),
        ]
    }
}
