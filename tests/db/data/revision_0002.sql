-- A database of revision 0002, dumped by sqlite3. Frozen: later versions must be able to upgrade it.
BEGIN TRANSACTION;
CREATE TABLE architecture (
	id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	workload_id INTEGER NOT NULL, 
	document JSON NOT NULL, 
	CONSTRAINT pk_architecture PRIMARY KEY (id), 
	CONSTRAINT fk_architecture_workload_id FOREIGN KEY(workload_id) REFERENCES workload (id), 
	CONSTRAINT uq_architecture_key UNIQUE ("key")
);
INSERT INTO "architecture" VALUES(1,'a-x',1,'{"version":1,"branches":[{"cells":[{"op":"conv","width":6,"down":false}]},{"cells":[{"op":"conv","width":6,"down":false}]}]}');
INSERT INTO "architecture" VALUES(2,'a-y',1,'{"version":1,"branches":[{"cells":[{"op":"sa","width":4,"down":false}]}]}');
CREATE TABLE calibration (
	id INTEGER NOT NULL, 
	target_id INTEGER NOT NULL, 
	version BIGINT NOT NULL, 
	compute_reference_s DOUBLE NOT NULL, 
	memory_reference_s DOUBLE NOT NULL, 
	normaliser VARCHAR NOT NULL, 
	process_error JSON NOT NULL, 
	reference_id VARCHAR NOT NULL, 
	processes BIGINT NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_calibration PRIMARY KEY (id), 
	CONSTRAINT fk_calibration_target_id FOREIGN KEY(target_id) REFERENCES target (id), 
	CONSTRAINT uq_calibration_target_id_version UNIQUE (target_id, version)
);
INSERT INTO "calibration" VALUES(1,1,1,0.005,0.002,'compute','{"none":0.2,"compute":0.013,"memory":0.05,"mean":0.03}','numpy-1',3,'2026-01-31 12:01:00.000000');
CREATE TABLE candidate (
	id INTEGER NOT NULL, 
	search_run_id INTEGER NOT NULL, 
	generation BIGINT NOT NULL, 
	architecture_id INTEGER NOT NULL, 
	objectives JSON NOT NULL, 
	predicted_latency_s DOUBLE, 
	measured_latency_s DOUBLE, 
	model_id VARCHAR, 
	CONSTRAINT pk_candidate PRIMARY KEY (id), 
	CONSTRAINT fk_candidate_architecture_id FOREIGN KEY(architecture_id) REFERENCES architecture (id), 
	CONSTRAINT fk_candidate_model_id FOREIGN KEY(model_id) REFERENCES predictor_model (model_id), 
	CONSTRAINT fk_candidate_search_run_id FOREIGN KEY(search_run_id) REFERENCES search_run (id)
);
INSERT INTO "candidate" VALUES(1,1,0,1,'{"miou":0.41,"latency_s":0.0025}',0.0025,0.0026,'m1');
INSERT INTO "candidate" VALUES(2,1,0,2,'{"miou":0.38}',0.004,NULL,'m1');
INSERT INTO "candidate" VALUES(3,1,1,1,'{"miou":0.42}',0.0025,NULL,'m1');
INSERT INTO "candidate" VALUES(4,2,0,2,'{"error":0.6}',NULL,0.005,NULL);
INSERT INTO "candidate" VALUES(5,2,0,1,'{}',NULL,NULL,NULL);
CREATE TABLE device (
	id INTEGER NOT NULL, 
	slug VARCHAR NOT NULL, 
	facts JSON NOT NULL, 
	CONSTRAINT pk_device PRIMARY KEY (id), 
	CONSTRAINT uq_device_slug UNIQUE (slug)
);
INSERT INTO "device" VALUES(1,'epyc-7b12','{"cpu":"EPYC 7B12"}');
CREATE TABLE environment (
	id INTEGER NOT NULL, 
	digest VARCHAR NOT NULL, 
	facts JSON NOT NULL, 
	CONSTRAINT pk_environment PRIMARY KEY (id), 
	CONSTRAINT uq_environment_digest UNIQUE (digest)
);
INSERT INTO "environment" VALUES(1,'9d5a733215521bb6946123a67cc4d30ccdc7adcb096a276bdb8a3463bed48926','{"host":"laboratory","onnxruntime":"1.32.0"}');
CREATE TABLE hyctas_revision (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT hyctas_revision_pkc PRIMARY KEY (version_num)
);
INSERT INTO "hyctas_revision" VALUES('0002');
CREATE TABLE measurement (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	run_id INTEGER NOT NULL, 
	workload_id INTEGER NOT NULL, 
	target_id INTEGER NOT NULL, 
	environment_id INTEGER NOT NULL, 
	calibration_id INTEGER, 
	purpose VARCHAR NOT NULL, 
	status VARCHAR NOT NULL, 
	latency_s DOUBLE, 
	wall_s DOUBLE, 
	half_width DOUBLE, 
	marginal_s DOUBLE, 
	normaliser VARCHAR NOT NULL, 
	metric VARCHAR NOT NULL, 
	protocol_version BIGINT NOT NULL, 
	protocol JSON NOT NULL, 
	process_id VARCHAR NOT NULL, 
	call_floor_s DOUBLE NOT NULL, 
	rounds JSON NOT NULL, 
	failure_kind VARCHAR, 
	failure_message VARCHAR, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT ck_measurement_purpose CHECK (purpose IN ('primary', 'repeat')), 
	CONSTRAINT ck_measurement_status CHECK (status IN ('ok', 'unstable', 'failed')), 
	CONSTRAINT fk_measurement_calibration_id FOREIGN KEY(calibration_id) REFERENCES calibration (id), 
	CONSTRAINT fk_measurement_environment_id FOREIGN KEY(environment_id) REFERENCES environment (id), 
	CONSTRAINT fk_measurement_run_id FOREIGN KEY(run_id) REFERENCES run (id), 
	CONSTRAINT fk_measurement_target_id FOREIGN KEY(target_id) REFERENCES target (id), 
	CONSTRAINT fk_measurement_workload_id FOREIGN KEY(workload_id) REFERENCES workload (id)
);
INSERT INTO "measurement" VALUES(1,1,2,1,1,1,'primary','failed',NULL,0.003,0.0,NULL,'compute','host_time',1,'{"version":1,"min_rounds":5,"max_rounds":15,"samples_per_round":5,"relative_half_width":0.01,"min_cpu_share":0.95}','p1',1.2e-05,'{"samples_s":[[0.003,0.0031,0.0029],[0.003,0.0031,0.0029],[0.003,0.0031,0.0029],[0.003,0.0031,0.0029],[0.003,0.0031,0.0029]],"compute_reference_s":[[0.006,0.006],[0.006,0.006],[0.006,0.006],[0.006,0.006],[0.006,0.006]],"memory_reference_s":[[0.002,0.002],[0.002,0.002],[0.002,0.002],[0.002,0.002],[0.002,0.002]],"cpu_share":[0.99,0.99,0.99,0.99,0.99],"clock_hz":[2250000000.0,2250000000.0,2250000000.0,2250000000.0,2250000000.0]}','timeout','took over 60 s','2026-01-31 12:03:00.000000');
INSERT INTO "measurement" VALUES(2,1,2,1,1,1,'primary','ok',0.0025,0.003,0.0,NULL,'compute','host_time',1,'{"version":1,"min_rounds":5,"max_rounds":15,"samples_per_round":5,"relative_half_width":0.01,"min_cpu_share":0.95}','p1',1.2e-05,'{"samples_s":[[0.003,0.0031,0.0029],[0.003,0.0031,0.0029],[0.003,0.0031,0.0029],[0.003,0.0031,0.0029],[0.003,0.0031,0.0029]],"compute_reference_s":[[0.006,0.006],[0.006,0.006],[0.006,0.006],[0.006,0.006],[0.006,0.006]],"memory_reference_s":[[0.002,0.002],[0.002,0.002],[0.002,0.002],[0.002,0.002],[0.002,0.002]],"cpu_share":[0.99,0.99,0.99,0.99,0.99],"clock_hz":[2250000000.0,2250000000.0,2250000000.0,2250000000.0,2250000000.0]}',NULL,NULL,'2026-01-31 12:04:00.000000');
INSERT INTO "measurement" VALUES(3,1,1,1,1,1,'primary','ok',0.0025,0.003,0.0,NULL,'compute','host_time',1,'{"version":1,"min_rounds":5,"max_rounds":15,"samples_per_round":5,"relative_half_width":0.01,"min_cpu_share":0.95}','p1',1.2e-05,'{"samples_s":[[0.003,0.0031,0.0029],[0.003,0.0031,0.0029],[0.003,0.0031,0.0029],[0.003,0.0031,0.0029],[0.003,0.0031,0.0029]],"compute_reference_s":[[0.006,0.006],[0.006,0.006],[0.006,0.006],[0.006,0.006],[0.006,0.006]],"memory_reference_s":[[0.002,0.002],[0.002,0.002],[0.002,0.002],[0.002,0.002],[0.002,0.002]],"cpu_share":[0.99,0.99,0.99,0.99,0.99],"clock_hz":[2250000000.0,2250000000.0,2250000000.0,2250000000.0,2250000000.0]}',NULL,NULL,'2026-01-31 12:05:00.000000');
CREATE TABLE predictor_model (
	id INTEGER NOT NULL, 
	model_id VARCHAR NOT NULL, 
	target_id INTEGER NOT NULL, 
	path VARCHAR NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	schema_version BIGINT NOT NULL, 
	metrics JSON NOT NULL, 
	training JSON NOT NULL, 
	CONSTRAINT pk_predictor_model PRIMARY KEY (id), 
	CONSTRAINT fk_predictor_model_target_id FOREIGN KEY(target_id) REFERENCES target (id), 
	CONSTRAINT uq_predictor_model_model_id UNIQUE (model_id)
);
INSERT INTO "predictor_model" VALUES(1,'m1',1,'models/m1','0000000000000000000000000000000000000000000000000000000000000000','2026-01-31 12:00:00.000000',1,'{"mape":0.018}','{"networks":200}');
CREATE TABLE run (
	id INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	target_id INTEGER, 
	arguments JSON NOT NULL, 
	status VARCHAR NOT NULL, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	summary JSON NOT NULL, 
	host VARCHAR NOT NULL, 
	boot_id VARCHAR NOT NULL, 
	pid BIGINT NOT NULL, 
	process_start VARCHAR NOT NULL, 
	CONSTRAINT pk_run PRIMARY KEY (id), 
	CONSTRAINT ck_run_status CHECK (status IN ('running', 'finished', 'interrupted')), 
	CONSTRAINT fk_run_target_id FOREIGN KEY(target_id) REFERENCES target (id)
);
INSERT INTO "run" VALUES(1,'networks',1,'{"count":1,"seed":0}','finished','2026-01-31 12:02:00.000000','2026-01-31 12:06:00.000000','{"measured":2}','laboratory','0',1,'1');
CREATE TABLE search_run (
	id INTEGER NOT NULL, 
	space JSON NOT NULL, 
	targets JSON NOT NULL, 
	settings JSON NOT NULL, 
	seed BIGINT NOT NULL, 
	status VARCHAR NOT NULL, 
	reference_point JSON, 
	started_at DATETIME NOT NULL, 
	finished_at DATETIME, 
	CONSTRAINT pk_search_run PRIMARY KEY (id), 
	CONSTRAINT ck_search_run_status CHECK (status IN ('running', 'finished', 'interrupted'))
);
INSERT INTO "search_run" VALUES(1,'{"depth":6}','["epyc-7b12/onnxruntime-fp32-t1"]','{"evaluations":100}',3,'finished','[1.0,-1.5]','2026-01-31 13:00:00.000000','2026-01-31 14:00:00.000000');
INSERT INTO "search_run" VALUES(2,'{"depth":8}','[]','{}',4,'running',NULL,'2026-01-31 15:00:00.000000',NULL);
CREATE TABLE target (
	id INTEGER NOT NULL, 
	device_id INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	runtime VARCHAR NOT NULL, 
	precision VARCHAR NOT NULL, 
	threads BIGINT, 
	CONSTRAINT pk_target PRIMARY KEY (id), 
	CONSTRAINT fk_target_device_id FOREIGN KEY(device_id) REFERENCES device (id), 
	CONSTRAINT uq_target_name UNIQUE (name)
);
INSERT INTO "target" VALUES(1,1,'epyc-7b12/onnxruntime-fp32-t1','onnxruntime','fp32',1);
CREATE TABLE workload (
	id INTEGER NOT NULL, 
	"key" VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	operator VARCHAR NOT NULL, 
	description JSON NOT NULL, 
	height BIGINT NOT NULL, 
	width BIGINT NOT NULL, 
	c_in BIGINT NOT NULL, 
	c_out BIGINT NOT NULL, 
	stride BIGINT, 
	macs BIGINT NOT NULL, 
	conv_macs BIGINT NOT NULL, 
	parameters BIGINT NOT NULL, 
	bytes_moved BIGINT NOT NULL, 
	peak_activation_bytes BIGINT NOT NULL, 
	CONSTRAINT pk_workload PRIMARY KEY (id), 
	CONSTRAINT ck_workload_kind CHECK (kind IN ('operator', 'network')), 
	CONSTRAINT uq_workload_key UNIQUE ("key")
);
INSERT INTO "workload" VALUES(1,'n-x','network','network','{"kind":"conv","in_channels":[12]}',192,384,3,19,NULL,11943936000,11943936000,2640,304128,331776);
INSERT INTO "workload" VALUES(2,'w','operator','conv','{"kind":"conv","in_channels":[12]}',48,96,12,24,2,11943936000,11943936000,2640,304128,331776);
CREATE INDEX ix_workload_operator_height_width ON workload (operator, height, width);
CREATE INDEX ix_architecture_workload_id ON architecture (workload_id);
CREATE INDEX ix_run_target_id ON run (target_id);
CREATE INDEX ix_measurement_created_at ON measurement (created_at);
CREATE INDEX ix_measurement_run_id ON measurement (run_id);
CREATE INDEX ix_measurement_target_id_workload_id ON measurement (target_id, workload_id);
CREATE INDEX ix_measurement_workload_id ON measurement (workload_id);
CREATE UNIQUE INDEX uq_measurement_primary ON measurement (target_id, workload_id, protocol_version, metric) WHERE status = 'ok' AND purpose = 'primary';
CREATE INDEX ix_predictor_model_target_id ON predictor_model (target_id);
CREATE INDEX ix_candidate_architecture_id ON candidate (architecture_id);
CREATE INDEX ix_candidate_search_run_id_generation ON candidate (search_run_id, generation);
CREATE VIEW latency AS
SELECT
    device.slug AS device,
    target.name AS target,
    workload.kind AS kind,
    workload.operator AS operator,
    workload.height AS height,
    workload.width AS width,
    workload.c_in AS c_in,
    workload.c_out AS c_out,
    workload.stride AS stride,
    measurement.latency_s * 1000 AS latency_ms,
    measurement.marginal_s * 1000 AS marginal_ms,
    measurement.wall_s * 1000 AS wall_ms,
    measurement.half_width AS half_width,
    measurement.status AS status,
    measurement.failure_kind AS failure_kind,
    measurement.metric AS metric,
    measurement.protocol_version AS protocol_version,
    workload.macs AS macs,
    workload.parameters AS parameters,
    measurement.created_at AS measured_at,
    measurement.run_id AS run_id,
    measurement.id AS measurement_id,
    workload.key AS workload_key
FROM (
    SELECT id, row_number() OVER (
        PARTITION BY target_id, workload_id, metric
        ORDER BY
            CASE status WHEN 'ok' THEN 0 WHEN 'unstable' THEN 1 ELSE 2 END,
            protocol_version DESC,
            CASE purpose WHEN 'primary' THEN 0 ELSE 1 END,
            id DESC
    ) AS place
    FROM measurement
) AS ranked
JOIN measurement ON measurement.id = ranked.id
JOIN workload ON workload.id = measurement.workload_id
JOIN target ON target.id = measurement.target_id
JOIN device ON device.id = target.device_id
WHERE ranked.place = 1;
CREATE VIEW network_latency AS
SELECT
    latency.device AS device,
    latency.target AS target,
    architecture.key AS architecture_key,
    json_array_length(architecture.document, '$.branches') AS branches,
    latency.height AS height,
    latency.width AS width,
    latency.latency_ms AS latency_ms,
    latency.half_width AS half_width,
    latency.status AS status,
    latency.metric AS metric,
    workload.macs AS macs,
    workload.conv_macs AS conv_macs,
    workload.parameters AS parameters,
    latency.measured_at AS measured_at,
    latency.run_id AS run_id,
    latency.measurement_id AS measurement_id,
    architecture.document AS architecture
FROM architecture
JOIN workload ON workload.id = architecture.workload_id
JOIN latency ON latency.workload_key = workload.key;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('measurement',3);
COMMIT;
