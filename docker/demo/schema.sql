-- The demo's tables: related, with unique keys, and of many types. The data is in
-- data.py (package index) and in mysql_tzinfo_to_sql's own statements.

CREATE TABLE sections (
  id SMALLINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(64) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL,
  packages INT UNSIGNED NOT NULL DEFAULT 0,
  UNIQUE KEY name (name)
);

CREATE TABLE maintainers (
  id MEDIUMINT UNSIGNED NOT NULL PRIMARY KEY,
  name VARCHAR(255) NOT NULL,
  email VARCHAR(255) COLLATE utf8mb4_bin NOT NULL,
  UNIQUE KEY email (email),
  KEY name (name)
);

CREATE TABLE packages (
  id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
  name VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  version VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  architecture ENUM('all', 'amd64', 'arm64', 'i386', 'other') NOT NULL,
  priority ENUM('required', 'important', 'standard', 'optional', 'extra') NULL,
  multi_arch SET('same', 'foreign', 'allowed') NOT NULL DEFAULT '',
  essential BIT(1) NOT NULL DEFAULT b'0',
  section_id SMALLINT UNSIGNED NOT NULL,
  maintainer_id MEDIUMINT UNSIGNED NOT NULL,
  installed_kib BIGINT UNSIGNED NULL,
  size_bytes BIGINT NOT NULL,
  size_mib DECIMAL(20, 6) GENERATED ALWAYS AS (size_bytes / 1048576) STORED,
  popularity DOUBLE NULL,
  sha256 BINARY(32) NULL,
  homepage VARCHAR(1024) NULL,
  summary TEXT NOT NULL,
  tags JSON NULL,
  seen_at DATETIME(6) NOT NULL,
  updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  UNIQUE KEY name_version_architecture (name, version, architecture),
  KEY section_id (section_id),
  KEY maintainer_id (maintainer_id),
  CONSTRAINT packages_section FOREIGN KEY (section_id) REFERENCES sections (id),
  CONSTRAINT packages_maintainer FOREIGN KEY (maintainer_id) REFERENCES maintainers (id)
);

CREATE TABLE dependencies (
  package_id BIGINT UNSIGNED NOT NULL,
  kind ENUM('pre-depends', 'depends', 'recommends', 'suggests') NOT NULL,
  place SMALLINT NOT NULL,
  alternative TINYINT UNSIGNED NOT NULL,
  target VARCHAR(191) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  relation VARCHAR(2) CHARACTER SET ascii NULL,
  version VARCHAR(191) CHARACTER SET ascii NULL,
  PRIMARY KEY (package_id, kind, place, alternative),
  KEY target (target),
  CONSTRAINT dependencies_package FOREIGN KEY (package_id) REFERENCES packages (id)
);

-- Money that moves: its sum never changes, whoever looks, whenever.
CREATE TABLE accounts (
  id INT NOT NULL PRIMARY KEY,
  owner VARCHAR(100) NOT NULL,
  balance DECIMAL(18, 4) NOT NULL
);

CREATE TABLE transfers (
  id BINARY(16) NOT NULL PRIMARY KEY,
  from_account INT NOT NULL,
  to_account INT NOT NULL,
  amount DECIMAL(18, 4) NOT NULL,
  made_at DATETIME(6) NOT NULL
);

-- One row, written by every transaction of the demo: how far, how much, when.
CREATE TABLE heartbeat (
  id TINYINT NOT NULL PRIMARY KEY,
  seq BIGINT NOT NULL,
  changes BIGINT NOT NULL,
  transfers BIGINT NOT NULL,
  written_at DATETIME(6) NOT NULL
);

-- As in the schema `mysql`, which is not replicated.
CREATE TABLE time_zone (
  Time_zone_id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  Use_leap_seconds ENUM('Y', 'N') CHARACTER SET utf8mb3 NOT NULL DEFAULT 'N'
);

CREATE TABLE time_zone_name (
  Name CHAR(64) CHARACTER SET utf8mb3 NOT NULL PRIMARY KEY,
  Time_zone_id INT UNSIGNED NOT NULL
);

CREATE TABLE time_zone_transition (
  Time_zone_id INT UNSIGNED NOT NULL,
  Transition_time BIGINT NOT NULL,
  Transition_type_id INT UNSIGNED NOT NULL,
  PRIMARY KEY (Time_zone_id, Transition_time)
);

CREATE TABLE time_zone_transition_type (
  Time_zone_id INT UNSIGNED NOT NULL,
  Transition_type_id INT UNSIGNED NOT NULL,
  Offset INT NOT NULL DEFAULT 0,
  Is_DST TINYINT UNSIGNED NOT NULL DEFAULT 0,
  Abbreviation CHAR(8) CHARACTER SET utf8mb3 NOT NULL DEFAULT '',
  PRIMARY KEY (Time_zone_id, Transition_type_id)
);
