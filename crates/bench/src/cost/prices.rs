//! What AWS takes: list prices of us-east-1 in US dollars, without what is free, as they were looked up on
//! [`LOOKED_UP`]. They change: <https://calculator.aws/> has those of the day and of other regions.

/// When the prices were looked up.
pub(crate) const LOOKED_UP: &str = "2026-11-27";

/// A price.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Price {
    /// Of what.
    pub(crate) what: &'static str,
    /// For how much of it.
    pub(crate) per: &'static str,
    /// How many single ones that is.
    pub(crate) units: f64,
    /// Dollars for that.
    pub(crate) dollars: f64,
    /// Who says so.
    pub(crate) source: &'static str,
}

impl Price {
    const fn million(what: &'static str, dollars: f64, source: &'static str) -> Self {
        Self { what, per: "million", units: 1_000_000.0, dollars, source }
    }

    const fn single(what: &'static str, per: &'static str, dollars: f64, source: &'static str) -> Self {
        Self { what, per, units: 1.0, dollars, source }
    }

    /// Dollars for so many single ones.
    pub(crate) fn of(&self, number: f64) -> f64 {
        number / self.units * self.dollars
    }
}

const DYNAMODB: &str = "https://aws.amazon.com/dynamodb/pricing/on-demand/";
const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const GATEWAY: &str = "https://aws.amazon.com/api-gateway/pricing/";
const SNS: &str = "https://aws.amazon.com/sns/pricing/";
const CLOUDWATCH: &str = "https://aws.amazon.com/cloudwatch/pricing/";
const XRAY: &str = "https://aws.amazon.com/xray/pricing/";
const KMS: &str = "https://aws.amazon.com/kms/pricing/";
const SECRETS: &str = "https://aws.amazon.com/secrets-manager/pricing/";
const S3: &str = "https://aws.amazon.com/s3/pricing/";
const EC2: &str = "https://aws.amazon.com/ec2/pricing/on-demand/";

pub(crate) const WRITE_UNITS: Price = Price::million("DynamoDB write request units", 0.625, DYNAMODB);
pub(crate) const READ_UNITS: Price = Price::million("DynamoDB read request units", 0.125, DYNAMODB);
pub(crate) const TABLE_STORAGE: Price = Price::single("DynamoDB storage", "GB-month", 0.25, DYNAMODB);
pub(crate) const TABLE_RECOVERY: Price =
    Price::single("DynamoDB point-in-time recovery", "GB-month", 0.20, DYNAMODB);
pub(crate) const RUNS: Price = Price::million("Lambda requests", 0.20, LAMBDA);
pub(crate) const RUN_TIME: Price =
    Price::single("Lambda duration, arm64", "GB-second", 0.000_013_333_4, LAMBDA);
pub(crate) const API_CALLS: Price = Price::million("API Gateway, HTTP API requests", 1.00, GATEWAY);
pub(crate) const TRANSFER: Price = Price::single("data transferred out", "GB", 0.09, EC2);
pub(crate) const PUBLISHED: Price = Price::million("SNS publishes, of 64 KB", 0.50, SNS);
pub(crate) const EMAILS: Price =
    Price { what: "SNS e-mails", per: "100,000", units: 100_000.0, dollars: 2.00, source: SNS };
pub(crate) const LOGS: Price = Price::single("CloudWatch logs, ingested", "GB", 0.50, CLOUDWATCH);
pub(crate) const METRICS: Price =
    Price::single("CloudWatch custom metrics", "metric-month", 0.30, CLOUDWATCH);
pub(crate) const ALARMS: Price = Price::single("CloudWatch alarms", "metric-month", 0.10, CLOUDWATCH);
pub(crate) const DASHBOARDS: Price =
    Price::single("CloudWatch dashboards", "dashboard-month", 3.00, CLOUDWATCH);
pub(crate) const TRACES: Price = Price::million("X-Ray traces", 5.00, XRAY);
pub(crate) const KEYS: Price = Price::single("KMS keys", "key-month", 1.00, KMS);
pub(crate) const SIGNATURES: Price =
    Price { what: "KMS signatures", per: "10,000", units: 10_000.0, dollars: 0.15, source: KMS };
pub(crate) const DATA_KEYS: Price =
    Price { what: "KMS symmetric calls", per: "10,000", units: 10_000.0, dollars: 0.03, source: KMS };
pub(crate) const SECRETS_KEPT: Price = Price::single("secrets", "secret-month", 0.40, SECRETS);
pub(crate) const FILES_PUT: Price =
    Price { what: "S3 PUT", per: "1,000", units: 1000.0, dollars: 0.005, source: S3 };
pub(crate) const FILES_GOT: Price =
    Price { what: "S3 GET", per: "1,000", units: 1000.0, dollars: 0.0004, source: S3 };
pub(crate) const FILE_STORAGE: Price = Price::single("S3 storage", "GB-month", 0.023, S3);

/// All of them, in the order of the document.
pub(crate) const ALL: [Price; 22] = [
    WRITE_UNITS,
    READ_UNITS,
    TABLE_STORAGE,
    TABLE_RECOVERY,
    RUNS,
    RUN_TIME,
    API_CALLS,
    TRANSFER,
    PUBLISHED,
    EMAILS,
    LOGS,
    METRICS,
    ALARMS,
    DASHBOARDS,
    TRACES,
    KEYS,
    SIGNATURES,
    DATA_KEYS,
    SECRETS_KEPT,
    FILES_PUT,
    FILES_GOT,
    FILE_STORAGE,
];
