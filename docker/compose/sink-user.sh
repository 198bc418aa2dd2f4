# shellcheck shell=bash
# Sourced by the image's entrypoint: the tables, the ledger, tags in GTIDs, ending
# a zombie's connections.
docker_process_sql <<END
CREATE USER cdc IDENTIFIED BY '$CDC_PASSWORD';
GRANT ALL ON demo.* TO cdc;
GRANT ALL ON cdc.* TO cdc;
GRANT PROCESS, CONNECTION_ADMIN, SESSION_VARIABLES_ADMIN, REPLICATION_APPLIER, TRANSACTION_GTID_TAG ON *.* TO cdc;
END
